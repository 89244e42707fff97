"""What the programs share: the account that their arguments name, and steps that tell how they went."""

import contextlib
import sys

from cmq.account import Account
from cmq.cmq_exception import CMQServerException

endpoint, secret_id, secret_key, sign, method = sys.argv[1:]


@contextlib.contextmanager
def step(text):
    """Tells how a part of the program went."""
    try:
        yield
    except Exception as error:
        why = ' '.join(f'{type(error).__name__}: {error}'.split())
        print(f'FAILED {text}: {why}')
        sys.exit(1)
    print(f'ok {text}')


def equal(actual, expected):
    if actual != expected:
        raise AssertionError(f'{actual!r} is not {expected!r}')


def between(low, actual, high):
    if not low <= actual <= high:
        raise AssertionError(f'{actual!r} is not from {low!r} to {high!r}')


@contextlib.contextmanager
def refused(code, message, **fields):
    """The server must refuse what is done inside, by this code and in these words."""
    try:
        yield
    except CMQServerException as error:
        equal((error.code, error.message), (code, message))
        if not error.request_id:
            raise AssertionError('no requestId')
        equal({name: error.data.get(name) for name in fields}, fields)
    else:
        raise AssertionError(f'not refused by {code}')


def account_of(key=secret_key):
    account = Account(endpoint, secret_id, key)
    account.set_sign(sign)
    account.get_client().set_method(method)
    # Its own ten seconds are too few for a busy machine.
    account.get_client().set_connection_timeout(60)
    return account


def receive_all(queue, count):
    """A batch may bring fewer messages than were asked for (406/5924)."""
    messages = []
    while len(messages) < count:
        messages += queue.batch_receive_message(count - len(messages), 3)
    return messages
