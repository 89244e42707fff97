"""The topic quick start of CMQ's documents (406/8437) as a program: its lines in its order, after each what must hold.

    python topic_quick_start.py ENDPOINT SECRET_ID SECRET_KEY sha1|sha256 POST|GET

Each step prints a line that begins with "ok" or "FAILED"; what comes after a step needs it, so the first failure ends
the program.
"""

import http.server
import json
import queue
import threading
import time

from cmq.queue import QueueMeta
from cmq.subscription import SubscriptionMeta
from cmq.topic import Message, TopicMeta
from steps import account_of, between, equal, method, receive_all, refused, sign, step

NO_MESSAGE = 7000, '(10200)no message'
NO_SUBSCRIPTION = (
    6030,
    '(10650)topic has no subscription, please create a subscription before publishing message',
)
NO_MATCH = 6030, '(10730)no bindingKey or filterTag matches the routingKey or msgTag'
TOPIC_IS_MISSING = 4440, '(10600)topic is not existed, or deleted'
SUBSCRIPTION_IS_MISSING = 4440, '(10600)subscription is not existed, or deleted'

# Seconds that a busy machine may take for a push.
LONGEST_WAIT = 60


class Web:
    """A web server that a topic pushes to. It answers the next pushes as it is told, and the others by 200."""

    def __init__(self):
        self.pushes = queue.Queue()
        self.replies = queue.Queue()
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                at = time.monotonic()
                body = self.rfile.read(int(self.headers['Content-Length'])).decode()
                try:
                    self.send_response(web.replies.get_nowait())
                except queue.Empty:
                    self.send_response(200)
                self.end_headers()
                # The module takes headers for latin1; what is in them is UTF-8.
                headers = {name: value.encode('latin1').decode() for name, value in self.headers.items()}
                web.pushes.put((at, self.path, headers, body))

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.url = f'http://127.0.0.1:{self.server.server_port}/hook?from=topic'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pushed(self, count):
        """As many pushes as that, and no others so far."""
        pushes = [self.pushes.get(timeout=LONGEST_WAIT) for _ in range(count)]
        equal(self.pushes.qsize(), 0)
        return pushes

    def bodies(self, count):
        return sorted(json.loads(body)['msgBody'] for _, _, _, body in self.pushed(count))


def queue_bodies(count):
    """What is in the queue: as many messages as that, and no others. Afterwards it is empty."""
    messages = receive_all(my_queue, count)
    with refused(*NO_MESSAGE):
        my_queue.receive_message(0)
    for message in messages:
        my_queue.delete_message(message.receiptHandle)
    return sorted(message.msgBody for message in messages)


my_account = account_of()
topic_name = f'QuickStart-{sign}-{method}'
my_topic = my_account.get_topic(topic_name)
my_queue = my_account.get_queue(f'ByTopic-{sign}-{method}')
my_queue.create(QueueMeta())
web = Web()

with step('create a topic'):
    topic_meta = TopicMeta()
    my_topic.create(topic_meta)

with step('create it again: refused by 4460'):
    with refused(4460, '(10550)topic is already existed'):
        my_topic.create(topic_meta)

with step('list topics, in pages'):
    total, topics, next_offset = my_account.list_topic(searchWord=topic_name)
    equal((total, [topic['topicName'] for topic in topics], next_offset), (1, [topic_name], ''))
    others = [my_account.get_topic(f'{topic_name}-{number}') for number in (1, 2)]
    for other in others:
        other.create(TopicMeta())
    total, first, next_offset = my_account.list_topic(searchWord=topic_name, limit=2)
    equal((total, next_offset), (3, 2))
    total, second, next_offset = my_account.list_topic(searchWord=topic_name, limit=2, offset=next_offset)
    equal((total, next_offset), (3, ''))
    equal(sorted(topic['topicName'] for topic in first + second), [topic_name, f'{topic_name}-1', f'{topic_name}-2'])
    for other in others:
        other.delete()

with step('get and set the attributes'):
    topic_meta = my_topic.get_attributes()
    equal((topic_meta.msgCount, topic_meta.maxMsgSize), (0, 65536))
    equal((topic_meta.msgRetentionSeconds, topic_meta.filterType), (86400, 1))
    now = time.time()
    for at in (topic_meta.createTime, topic_meta.lastModifyTime):
        between(now - 600, at, now + 10)
    str(topic_meta)
    topic_meta.maxMsgSize = 32768
    my_topic.set_attributes(topic_meta)
    topic_meta = my_topic.get_attributes()
    equal((topic_meta.maxMsgSize, topic_meta.msgRetentionSeconds, topic_meta.filterType), (32768, 86400, 1))

with step('publish before anybody has subscribed: refused by 6030'):
    with refused(*NO_SUBSCRIPTION):
        my_topic.publish_message(Message('this is a test message'))

with step('subscribe a queue, in the format that the SDK asks for by itself'):
    queue_sub = my_account.get_subscription(topic_name, 'subsc-queue')
    subscription_meta = SubscriptionMeta()
    subscription_meta.Endpoint = my_queue.queue_name
    subscription_meta.Protocal = 'queue'
    equal(subscription_meta.NotifyContentFormat, 'JSON')
    queue_sub.create(subscription_meta)

with step('subscribe a web server'):
    web_sub = my_account.get_subscription(topic_name, 'subsc-web')
    web_meta = SubscriptionMeta()
    web_meta.Endpoint = web.url
    web_meta.Protocal = 'http'
    web_sub.create(web_meta)

with step('subscribe it again: refused by 4490'):
    with refused(4490, '(10470)subscribtion is already existed'):
        web_sub.create(web_meta)

with step('list subscriptions, in pages'):
    total, first, next_offset = my_topic.list_subscription(limit=1)
    equal((total, next_offset), (2, 1))
    total, second, next_offset = my_topic.list_subscription(limit=1, offset=next_offset)
    equal((total, next_offset), (2, ''))
    listed = {one['subscriptionName']: (one['protocol'], one['endpoint']) for one in first + second}
    equal(listed, {'subsc-queue': ('queue', my_queue.queue_name), 'subsc-web': ('http', web.url)})
    equal(len({one['subscriptionId'] for one in first + second}), 2)
    total, found, next_offset = my_topic.list_subscription(searchWord='web')
    equal((total, [one['subscriptionName'] for one in found], next_offset), (1, ['subsc-web'], ''))

with step('publish a message: the web server gets the push that CMQ documents'):
    message = Message()
    message.msgBody = 'this is a test message'
    re_msg = my_topic.publish_message(message)
    equal(bool(re_msg.msgId) and isinstance(re_msg.msgId, str), True)
    [(_, path, headers, body)] = web.pushed(1)
    equal(path, '/hook?from=topic')
    equal(headers['Content-Type'], 'text/plain')
    equal(headers['User-Agent'], 'Qcloud Notification Service Agent')
    equal(headers['x-cmq-request-id'].isdecimal(), True)
    equal((headers['x-cmq-message-id'], headers['x-cmq-message-tag']), (re_msg.msgId, ''))
    pushed = json.loads(body)
    equal(list(pushed), ['TopicOwner', 'topicName', 'subscriptionName', 'msgId', 'msgBody', 'publishTime'])
    between(time.time() - LONGEST_WAIT, pushed.pop('publishTime'), time.time())
    expected = dict(TopicOwner=1250000000, topicName=topic_name, subscriptionName='subsc-web')
    equal(pushed, dict(expected, msgId=re_msg.msgId, msgBody='this is a test message'))

with step('the queue has it too, as it was published'):
    equal(queue_bodies(1), ['this is a test message'])

with step('publish a message with tags: they are in a header'):
    my_topic.publish_message(Message('this is a test message', ['test', '订单']))
    [(_, _, headers, _)] = web.pushed(1)
    equal(headers['x-cmq-message-tag'], 'test, 订单')
    equal(queue_bodies(1), ['this is a test message'])

with step('publish messages in a batch: both get all of them'):
    bodies = [f'this is test message {i}' for i in range(6)]
    re_msg_list = my_topic.batch_publish_message([Message(body) for body in bodies])
    found = {json.loads(body)['msgId']: json.loads(body)['msgBody'] for _, _, _, body in web.pushed(6)}
    equal([found.get(re_msg.msgId) for re_msg in re_msg_list], bodies)
    equal(queue_bodies(6), bodies)

with step('publish a batch with tags'):
    my_topic.batch_publish_message([Message('first'), Message('second')], ['test', 'york'])
    equal([headers['x-cmq-message-tag'] for _, _, headers, _ in web.pushed(2)], ['test, york', 'test, york'])
    equal(queue_bodies(2), ['first', 'second'])

with step('get the attributes of the subscriptions'):
    subscription_meta = web_sub.get_attributes()
    equal((subscription_meta.TopicOwner, subscription_meta.Protocal), ('1250000000', 'http'))
    # The SDK puts some of what it reads where nobody looks for it.
    equal(subscription_meta.maxMsgHeapNum, web.url)
    equal(subscription_meta.NotifyStrategy, 'EXPONENTIAL_DECAY_RETRY')
    equal(subscription_meta.NotifyContentFormat, 'JSON')
    equal((subscription_meta.FilterTag, subscription_meta.bindingKey), ([], []))
    now = time.time()
    for at in (subscription_meta.createTime, subscription_meta.lastModifyTime):
        between(now - 600, at, now + 10)
    str(subscription_meta)
    subscription_meta = queue_sub.get_attributes()
    equal((subscription_meta.Protocal, subscription_meta.NotifyContentFormat), ('queue', 'SIMPLIFIED'))

with step('set them, filter tags among them: these choose from now on'):
    subscription_meta = queue_sub.get_attributes()
    subscription_meta.NotifyStrategy = 'BACKOFF_RETRY'
    subscription_meta.FilterTag = ['订单', 'york']
    queue_sub.set_attributes(subscription_meta)
    subscription_meta = queue_sub.get_attributes()
    equal((subscription_meta.NotifyStrategy, subscription_meta.FilterTag), ('BACKOFF_RETRY', ['订单', 'york']))
    for body, tags in (('1', ['york']), ('2', []), ('3', ['test', '订单']), ('4', ['York'])):
        my_topic.publish_message(Message(body, tags))
    equal(web.bodies(4), ['1', '2', '3', '4'])
    equal(queue_bodies(2), ['1', '3'])

with step('publish what no filter lets through: refused by 6030'):
    subscription_meta = web_sub.get_attributes()
    subscription_meta.FilterTag = ['york']
    web_sub.set_attributes(subscription_meta)
    with refused(*NO_MATCH):
        my_topic.publish_message(Message('a', ['test']))
    with refused(*NO_MATCH):
        my_topic.batch_publish_message([Message('a'), Message('b')])

with step('clear the filter tags: everything arrives again'):
    for subscription in (queue_sub, web_sub):
        subscription.clearFilterTags()
        equal(subscription.get_attributes().FilterTag, [])
    equal(queue_sub.get_attributes().NotifyStrategy, 'BACKOFF_RETRY')
    my_topic.publish_message(Message('a', ['test']))
    equal((web.bodies(1), queue_bodies(1)), (['a'], ['a']))

with step('bodies arrive as they were published'):
    # Those of a GET are part of a URL, which must not be too long.
    for body in ('@home', '消息 😀', 'a b+c&d=e%20/~', ' ', '0', '\r\n\t"\\', '{"a": [1, null]}', 'x' * 8000):
        my_topic.publish_message(Message(body))
        equal((web.bodies(1), queue_bodies(1)), ([body], [body]))
    bodies = ['@home', 'plain', '消息 😀']
    my_topic.batch_publish_message([Message(body) for body in bodies])
    equal((web.bodies(3), queue_bodies(3)), (bodies, bodies))

with step('a web server that fails gets the message again, 1 s and 2 s later'):
    for reply in (500, 404):
        web.replies.put(reply)
    re_msg = my_topic.publish_message(Message('again'))
    pushes = web.pushed(3)
    equal({headers['x-cmq-message-id'] for _, _, headers, _ in pushes}, {re_msg.msgId})
    first, second, third = (at for at, _, _, _ in pushes)
    between(0.98, second - first, 1 + LONGEST_WAIT)
    between(1.98, third - second, 2 + LONGEST_WAIT)
    equal(queue_bodies(1), ['again'])

with step('delete the topic while it has subscriptions: refused by 4000'):
    words = 'there exists subscriptions under this topic, please unsubscribe all of them before DeleteTopic'
    with refused(4000, f'(10540){words}'):
        my_topic.delete()

with step('unsubscribe'):
    web_sub.delete()
    my_topic.publish_message(Message('for the queue alone'))
    equal(queue_bodies(1), ['for the queue alone'])
    queue_sub.delete()
    equal(my_topic.list_subscription(), (0, [], ''))
    equal(web.pushes.qsize(), 0)

with step('delete the topic'):
    my_topic.delete()

with step('a topic with routing keys: binding keys choose'):
    topic_meta = TopicMeta()
    topic_meta.filterType = 2
    my_topic.create(topic_meta)
    equal(my_topic.get_attributes().filterType, 2)
    for subscription, protocol, endpoint, keys in (
        (queue_sub, 'queue', my_queue.queue_name, ['order.*', 'payment']),
        (web_sub, 'http', web.url, ['#.eu']),
    ):
        subscription_meta = SubscriptionMeta()
        subscription_meta.Protocal = protocol
        subscription_meta.Endpoint = endpoint
        with refused(4000, '(10710)parameters lack of bindingKey'):
            subscription.create(subscription_meta)
        subscription_meta.bindingKey = keys
        subscription.create(subscription_meta)
        equal(subscription.get_attributes().bindingKey, keys)
    for key in ('order.new', 'payment', 'eu', 'order.eu'):
        my_topic.publish_message(Message(key), key)
    my_topic.batch_publish_message([Message('a'), Message('b')], routingKey='order.new.eu')
    equal(web.bodies(4), ['a', 'b', 'eu', 'order.eu'])
    equal(queue_bodies(3), ['order.eu', 'order.new', 'payment'])
    with refused(*NO_MATCH):
        my_topic.publish_message(Message('a'), 'order')
    with refused(4000, '(10700)parameters lack of routingKey'):
        my_topic.publish_message(Message('a'))
    subscription_meta = web_sub.get_attributes()
    subscription_meta.bindingKey = ['#']
    web_sub.set_attributes(subscription_meta)
    my_topic.publish_message(Message('a'), 'order')
    equal(web.bodies(1), ['a'])

with step('refusals have the codes that the SDK knows'):
    with refused(4000, "(10120)message body can't be empty"):
        my_topic.publish_message(Message(''), 'a')
    with refused(4400, '(10230)exceed maximum message size'):
        topic_meta = TopicMeta()
        topic_meta.maxMsgSize = 1024
        my_topic.set_attributes(topic_meta)
        my_topic.publish_message(Message('x' * 1025), 'a')
    with refused(4000, '(10691)too many delimeters'):
        my_topic.publish_message(Message('a'), '.' * 16)
    with refused(4000, '(10720)too many msgTag'):
        my_topic.publish_message(Message('a', list('abcdef')), 'a')
    with refused(4000, '(10590)topic name format error'):
        my_account.get_topic('1st').create(TopicMeta())
    for endpoint, refusal in (
        ('http://10.0.0.1/', (4000, '(10630)illegal endpoint')),
        ('ftp://127.0.0.1/', (4000, '(10500)endpoint format error')),
        ('http://127.0.0.1/ a', (4510, '(10570)url connot contain any blank characters')),
    ):
        with refused(*refusal):
            subscription_meta = SubscriptionMeta()
            subscription_meta.Protocal = 'http'
            subscription_meta.Endpoint = endpoint
            subscription_meta.bindingKey = ['#']
            my_account.get_subscription(topic_name, 'subsc-test').create(subscription_meta)
    with refused(4100, '(10030)authentication failed'):
        account_of('another').list_topic()

with step('a subscription that is missing: refused by 4440'):
    for subscription in (queue_sub, web_sub):
        subscription.delete()
    for use in (
        web_sub.get_attributes,
        web_sub.delete,
        web_sub.clearFilterTags,
        lambda: web_sub.set_attributes(SubscriptionMeta()),
    ):
        with refused(*SUBSCRIPTION_IS_MISSING):
            use()

with step('a topic that is missing: refused by 4440'):
    my_topic.delete()
    my_queue.delete()
    for use in (
        my_topic.get_attributes,
        my_topic.delete,
        my_topic.list_subscription,
        lambda: my_topic.set_attributes(TopicMeta()),
        lambda: my_topic.publish_message(Message('a')),
        lambda: my_topic.batch_publish_message([Message('a')]),
        lambda: web_sub.create(web_meta),
        web_sub.get_attributes,
        web_sub.delete,
    ):
        with refused(*TOPIC_IS_MISSING):
            use()
    equal(my_account.list_topic(searchWord=topic_name), (0, [], ''))
    equal(web.pushes.qsize(), 0)
