"""Dead letters as the SDK sees them: it knows nothing of them, sends what it is given, and reads over what it does not know.

    python dead_letters.py ENDPOINT SECRET_ID SECRET_KEY sha1|sha256 POST|GET
"""

import time

from cmq.queue import Message, QueueMeta
from steps import account_of, equal, method, refused, sign, step

NO_MESSAGE = 7000, '(10200)no message'
IN_USE = 4000, '(10110)request parameters error: the queue is the dead letter queue of others'

my_account = account_of()
client = my_account.get_client()
queue_name = f'Orders-{sign}-{method}'
my_queue = my_account.get_queue(queue_name)
dead_queue = my_account.get_queue(f'{queue_name}-dead')


def nobody_gets_it():
    """When its lease is over, and not while somebody waits: a machine that pauses then may look no more."""
    time.sleep(1.1)
    with refused(*NO_MESSAGE):
        my_queue.receive_message(0)


with step('create a queue, and bind another to it'):
    dead_queue.create(QueueMeta())
    policy = dict(deadLetterQueueName=dead_queue.queue_name, policy=0, maxReceiveCount=2)
    client.create_queue(dict(queueName=queue_name, visibilityTimeout=1, **policy))

with step('get the attributes of both'):
    for queue in (my_queue, dead_queue):
        str(queue.get_attributes())
    told = client.get_queue_attributes(dict(queueName=queue_name))
    equal({name: told.get(name) for name in policy}, policy)

with step('the attributes are set by the SDK: the policy stays'):
    queue_meta = my_queue.get_attributes()
    queue_meta.pollingWaitSeconds = 1
    my_queue.set_attributes(queue_meta)
    told = client.get_queue_attributes(dict(queueName=queue_name))
    equal({name: told.get(name) for name in policy}, policy)

with step('receive a message twice and do not delete it: then it is a dead letter'):
    sent = my_queue.send_message(Message('poison'))
    for count in (1, 2):
        equal(my_queue.receive_message(5).dequeueCount, count)
    nobody_gets_it()

with step('receive the dead letter, by itself and in a batch, and delete it'):
    recv_msg = dead_queue.receive_message(3)
    equal((recv_msg.msgBody, recv_msg.msgId, recv_msg.dequeueCount), ('poison', sent.msgId, 1))
    str(recv_msg)
    dead_queue.delete_message(recv_msg.receiptHandle)
    my_queue.send_message(Message('poison too'))
    for count in (1, 2):
        equal(my_queue.receive_message(5).dequeueCount, count)
    nobody_gets_it()
    (recv_msg,) = dead_queue.batch_receive_message(16, 3)
    equal(recv_msg.msgBody, 'poison too')
    dead_queue.delete_message(recv_msg.receiptHandle)

with step('the dead-letter queue is deleted after its source, not before'):
    with refused(*IN_USE):
        dead_queue.delete()
    my_queue.delete()
    dead_queue.delete()
