"""The queue quick start of CMQ's documents (406/8436) as a program: its lines in its order, after each what must hold.

    python queue_quick_start.py ENDPOINT SECRET_ID SECRET_KEY sha1|sha256 POST|GET

Each step prints a line that begins with "ok" or "FAILED"; what comes after a step needs it, so the first failure ends
the program.
"""

import base64
import re
import time

from cmq.queue import Message, QueueMeta
from steps import account_of, between, equal, method, receive_all, refused, sign, step

NO_MESSAGE = 7000, '(10200)no message'
QUEUE_IS_MISSING = 4440, '(10100)queue is not existed, or deleted'
HANDLE_IS_INVALID = 4430, '(10260)receipt handle is invalid'

# Seconds that a busy machine may take for a few calls.
LONGEST_WAIT = 60

my_account = account_of()
queue_name = f'QuickStart-{sign}-{method}'
my_queue = my_account.get_queue(queue_name)

with step('create a queue'):
    queue_meta = QueueMeta()
    queue_meta.queueName = queue_name
    queue_meta.pollingWaitSeconds = 10
    queue_meta.visibilityTimeout = 10
    queue_meta.maxMsgSize = 1024
    queue_meta.msgRetentionSeconds = 3600
    my_queue.create(queue_meta)

with step('create it again: refused by 4460'):
    with refused(4460, '(10210)queue is already existed'):
        my_queue.create(queue_meta)

with step('list queues, in pages'):
    total, queues, next_offset = my_account.list_queue(searchWord=queue_name)
    equal((total, [queue['queueName'] for queue in queues], next_offset), (1, [queue_name], ''))
    others = [my_account.get_queue(f'{queue_name}-{number}') for number in (1, 2)]
    for other in others:
        other.create(QueueMeta())
    total, first, next_offset = my_account.list_queue(searchWord=queue_name, limit=2)
    equal((total, next_offset), (3, 2))
    total, second, next_offset = my_account.list_queue(searchWord=queue_name, limit=2, offset=next_offset)
    equal((total, next_offset), (3, ''))
    equal(sorted(queue['queueName'] for queue in first + second), [queue_name, f'{queue_name}-1', f'{queue_name}-2'])
    for other in others:
        other.delete()

with step('get the attributes'):
    queue_meta = my_queue.get_attributes()
    equal(queue_meta.pollingWaitSeconds, 10)
    equal(queue_meta.visibilityTimeout, 10)
    equal(queue_meta.maxMsgSize, 1024)
    equal(queue_meta.msgRetentionSeconds, 3600)
    equal(queue_meta.maxMsgHeapNum, 100000000)
    equal((queue_meta.rewindSeconds, queue_meta.rewindmsgNum), (0, 0))
    equal((queue_meta.activeMsgNum, queue_meta.inactiveMsgNum, queue_meta.delayMsgNum), (0, 0, 0))
    now = time.time()
    for at in (queue_meta.createTime, queue_meta.lastModifyTime, queue_meta.minMsgTime):
        between(now - 600, at, now + 10)
    str(queue_meta)

with step('send a message'):
    msg_body = 'I am test message.'
    msg = Message(msg_body)
    re_msg = my_queue.send_message(msg)
    equal(bool(re_msg.msgId) and isinstance(re_msg.msgId, str), True)

with step('receive it, waiting as long as the queue says'):
    recv_msg = my_queue.receive_message()
    equal((recv_msg.msgBody, recv_msg.msgId, recv_msg.dequeueCount), (msg_body, re_msg.msgId, 1))
    equal(recv_msg.nextVisibleTime - recv_msg.firstDequeueTime, 10)
    between(time.time() - 600, recv_msg.enqueueTime, time.time() + 10)
    equal(bool(re.fullmatch('[A-Za-z0-9%#:_-]{1,256}', recv_msg.receiptHandle)), True)
    str(recv_msg)

with step('delete it by its handle'):
    my_queue.delete_message(recv_msg.receiptHandle)

with step('delete it again: refused by 4430'):
    with refused(*HANDLE_IS_INVALID):
        my_queue.delete_message(recv_msg.receiptHandle)

with step('receive from an empty queue: 7000 at once, or when the wait is over'):
    with refused(*NO_MESSAGE):
        my_queue.receive_message(0)
    start = time.monotonic()
    with refused(*NO_MESSAGE):
        my_queue.receive_message(1)
    with refused(*NO_MESSAGE):
        my_queue.batch_receive_message(16, 1)
    between(1.9, time.monotonic() - start, LONGEST_WAIT)

with step('send messages in a batch'):
    bodies = [f'I am test message {i}.' for i in range(3)]
    re_msg_list = my_queue.batch_send_message([Message(body) for body in bodies])
    equal(len({re_msg.msgId for re_msg in re_msg_list}), 3)

with step('receive them in a batch'):
    recv_msg_list = receive_all(my_queue, 3)
    found = {recv_msg.msgId: recv_msg.msgBody for recv_msg in recv_msg_list}
    equal([found.get(re_msg.msgId) for re_msg in re_msg_list], bodies)

with step('delete them in a batch, what is void being listed'):
    handles = [recv_msg.receiptHandle for recv_msg in recv_msg_list]
    my_queue.batch_delete_message(handles[:2])
    errors = [dict(code=4430, message=HANDLE_IS_INVALID[1], receiptHandle=handle) for handle in handles[:2]]
    with refused(6010, '(10150)delete message partially failed', errorList=errors):
        my_queue.batch_delete_message(handles)
    with refused(6020, '(10290)batch delete message failed', errorList=errors):
        my_queue.batch_delete_message(handles[:2])

with step('send sixteen: their ids come in the order of their numbers'):
    bodies = [f'number {i}' for i in range(16)]
    re_msg_list = my_queue.batch_send_message([Message(body) for body in bodies])
    recv_msg_list = receive_all(my_queue, 16)
    found = {recv_msg.msgId: recv_msg.msgBody for recv_msg in recv_msg_list}
    equal([found.get(re_msg.msgId) for re_msg in re_msg_list], bodies)
    my_queue.batch_delete_message([recv_msg.receiptHandle for recv_msg in recv_msg_list])

with step('send a message with a delay'):
    start = time.monotonic()
    my_queue.send_message(Message('later'), 4)
    equal(my_queue.get_attributes().delayMsgNum, 1)
    recv_msg = my_queue.receive_message(20)
    equal(recv_msg.msgBody, 'later')
    between(3.9, time.monotonic() - start, LONGEST_WAIT)
    my_queue.delete_message(recv_msg.receiptHandle)

with step('set the attributes'):
    queue_meta = my_queue.get_attributes()
    queue_meta.visibilityTimeout = 1
    queue_meta.pollingWaitSeconds = 0
    my_queue.set_attributes(queue_meta)
    queue_meta = my_queue.get_attributes()
    equal((queue_meta.visibilityTimeout, queue_meta.pollingWaitSeconds, queue_meta.maxMsgSize), (1, 0, 1024))

with step('do not delete a message: it comes again, and its first handle is void'):
    my_queue.send_message(Message('twice'))
    first = my_queue.receive_message(3)
    second = my_queue.receive_message(9)
    equal((second.msgId, second.dequeueCount), (first.msgId, 2))
    equal(second.firstDequeueTime, first.firstDequeueTime)
    with refused(*HANDLE_IS_INVALID):
        my_queue.delete_message(first.receiptHandle)

my_queue.delete()
my_queue = my_account.get_queue(f'{queue_name}-bodies')
my_queue.create(QueueMeta())

with step('bodies come back as they were sent'):
    for body in ('@home', '消息 😀', 'a b+c&d=e%20/~', ' ', '0', '\r\n\t"\\', '{"a": [1, null]}', 'x' * 20000):
        my_queue.send_message(Message(body))
        recv_msg = my_queue.receive_message(3)
        equal(recv_msg.msgBody, body)
        my_queue.delete_message(recv_msg.receiptHandle)
    bodies = ['@home', '消息 😀', 'plain']
    my_queue.batch_send_message([Message(body) for body in bodies])
    recv_msg_list = receive_all(my_queue, 3)
    equal(sorted(recv_msg.msgBody for recv_msg in recv_msg_list), sorted(bodies))
    my_queue.batch_delete_message([recv_msg.receiptHandle for recv_msg in recv_msg_list])

with step('a body in base64 is read by the option of the SDK'):
    # With Python 3 the option cannot send: it signs the text of a bytes literal.
    my_queue.send_message(Message(base64.b64encode('消息'.encode()).decode()))
    my_queue.set_encoding(True)
    recv_msg = my_queue.receive_message(3)
    equal(recv_msg.msgBody.decode(), '消息')
    my_queue.delete_message(recv_msg.receiptHandle)
    my_queue.set_encoding(False)

with step('refusals have the codes that the SDK knows'):
    with refused(4400, '(10230)exceed maximum message size'):
        queue_meta = QueueMeta()
        queue_meta.maxMsgSize = 1024
        my_queue.set_attributes(queue_meta)
        my_queue.send_message(Message('x' * 1025))
    with refused(4000, "(10120)message body can't be empty"):
        my_queue.send_message(Message(''))
    with refused(4000, '(10692)delay seconds is out of range'):
        my_queue.send_message(Message('a'), 3601)
    with refused(4000, '(10470)receiptHandle error'):
        my_queue.delete_message('no handle')
    with refused(4000, '(10020)queue name format error'):
        my_account.get_queue('1st').create(QueueMeta())
    with refused(4100, '(10030)authentication failed'):
        account_of('another').list_queue()

with step('rewind the queue: what was deleted comes again'):
    queue_meta = QueueMeta()
    queue_meta.rewindSeconds = 600
    my_queue.set_attributes(queue_meta)
    start = int(time.time())
    my_queue.send_message(Message('again'))
    first = my_queue.receive_message(3)
    my_queue.delete_message(first.receiptHandle)
    queue_meta = my_queue.get_attributes()
    equal((queue_meta.rewindSeconds, queue_meta.rewindmsgNum), (600, 1))
    my_queue.rewindQueue(start)
    again = my_queue.receive_message(3)
    equal((again.msgId, again.msgBody, again.enqueueTime), (first.msgId, 'again', first.enqueueTime))
    with refused(4000, '(10680)invalid rewind time, you can get the vaild range of that via GetQueueAttributes'):
        my_queue.rewindQueue(start - 700)
    my_queue.set_attributes(QueueMeta())
    with refused(6050, '(10670)your queue cannot be rewinded'):
        my_queue.rewindQueue(start)

with step('a queue that is missing: refused by 4440'):
    my_queue.delete()
    for use in (
        my_queue.get_attributes,
        my_queue.delete,
        lambda: my_queue.set_attributes(QueueMeta()),
        lambda: my_queue.send_message(Message('a')),
        lambda: my_queue.batch_send_message([Message('a')]),
        lambda: my_queue.receive_message(3),
        lambda: my_queue.batch_receive_message(16, 3),
    ):
        with refused(*QUEUE_IS_MISSING):
            use()
    equal(my_account.list_queue(searchWord=queue_name), (0, [], ''))
