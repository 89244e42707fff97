"""The life of a queue and of a topic by API 3.0, with the cloud's own SDK."""

import contextlib
import json
import warnings
from urllib.parse import urlsplit

from tencentcloud.cmq.v20190304 import cmq_client, models as cmq_models
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.tdmq.v20200217 import models as tdmq_models, tdmq_client

from steps import between, endpoint, equal, method, secret_id, secret_key, sign, step

# The SDK warns of fields that its structures do not have, and there must be none.
warnings.filterwarnings('error', message='.*fields are useless')


def client_of(client, key=secret_key, **settings):
    http = HttpProfile(protocol='http', endpoint=urlsplit(endpoint).netloc, reqMethod=method)
    profile = ClientProfile(signMethod=sign, httpProfile=http)
    for name, value in settings.items():
        setattr(profile, name, value)
    return client(Credential(secret_id, key), 'ap-guangzhou', profile)


tdmq = client_of(tdmq_client.TdmqClient)
cmq = client_of(cmq_client.CmqClient)


def call(client, models, action, **parameters):
    """Calls an action by its own method where the SDK still has one, otherwise by its name."""
    if not hasattr(client, action):
        return client.call_json(action, parameters)['Response']
    request = getattr(models, f'{action}Request')()
    request.from_json_string(json.dumps(parameters))
    return json.loads(getattr(client, action)(request).to_json_string())


def of_tdmq(action, **parameters):
    return call(tdmq, tdmq_models, action, **parameters)


def of_cmq(action, **parameters):
    return call(cmq, cmq_models, action, **parameters)


@contextlib.contextmanager
def refused(code):
    """The server must refuse what is done inside, under this name."""
    try:
        yield
    except TencentCloudSDKException as error:
        equal(error.get_code(), code)
        if not error.get_request_id():
            raise AssertionError('no RequestId')
    else:
        raise AssertionError(f'not refused by {code}')


name = f'api3-{sign}-{method}'
topic = f'news-{sign}-{method}'

with step('create a queue'):
    tags = [{'TagKey': 'team', 'TagValue': '中 & +'}]
    created = of_tdmq('CreateCmqQueue', QueueName=name, VisibilityTimeout=60, Trace=True, Tags=tags)
    equal(created['QueueId'].startswith('queue-'), True)

with step('create it again'):
    with refused('ResourceInUse'):
        of_cmq('CreateQueue', QueueName=name)

with step('change it'):
    of_tdmq('ModifyCmqQueueAttribute', QueueName=name, PollingWaitSeconds=3)
    of_cmq('ModifyQueueAttribute', QueueName=name, MaxMsgSize=2048)

with step('send a message'):
    sent = of_tdmq('SendCmqMsg', QueueName=name, MsgContent='@ a+b&c=d_e/~中', DelaySeconds=0)
    equal((sent['Result'], len(sent['MsgId'])), (True, 32))

with step('describe it'):
    told = of_tdmq('DescribeCmqQueueDetail', QueueName=name)['QueueDescribe']
    equal((told['QueueName'], told['VisibilityTimeout'], told['PollingWaitSeconds']), (name, 60, 3))
    equal((told['MaxMsgSize'], told['Trace'], told['Tags'], told['ActiveMsgNum']), (2048, True, tags, 1))
    between(1_600_000_000_000, told['CreateTime'], 9_999_999_999_999)
    listed = of_tdmq('DescribeCmqQueues', QueueNameList=[name], Limit=1)
    equal((listed['TotalCount'], [queue['QueueId'] for queue in listed['QueueList']]), (1, [created['QueueId']]))
    filters = [{'Name': 'QueueName', 'Values': [name]}]
    detail = of_cmq('DescribeQueueDetail', Filters=filters, Limit=50)
    equal((detail['TotalCount'], detail['QueueSet'][0]['QueueId']), (1, created['QueueId']))
    between(1_600_000_000, detail['QueueSet'][0]['CreateTime'], 9_999_999_999)

with step('create a topic and subscribe the queue'):
    of_tdmq('CreateCmqTopic', TopicName=topic)
    names = {'TopicName': topic, 'SubscriptionName': 'archive'}
    where = {'Protocol': 'queue', 'Endpoint': name}
    of_tdmq('CreateCmqSubscribe', **names, **where, FilterTag=['red'])
    of_cmq('ModifySubscriptionAttribute', **names, FilterTags=['red', 'blue'])

with step('publish a message'):
    published = of_tdmq('PublishCmqMsg', TopicName=topic, MsgContent='hello', MsgTag=['blue'])
    equal(published['Result'], True)
    with refused('FailedOperation'):
        of_tdmq('PublishCmqMsg', TopicName=topic, MsgContent='hello', MsgTag=['green'])

with step('describe the topic and its subscription'):
    equal(of_tdmq('DescribeCmqTopicDetail', TopicName=topic)['TopicDescribe']['SubscriptionCount'], 1)
    equal(of_cmq('DescribeTopicDetail', TopicName=topic)['TopicSet'][0]['TopicName'], topic)
    told = of_tdmq('DescribeCmqSubscriptionDetail', TopicName=topic)['SubscriptionSet'][0]
    equal((told['Endpoint'], told['FilterTags']), (name, ['red', 'blue']))
    told = of_cmq('DescribeSubscriptionDetail', TopicName=topic)['SubscriptionSet'][0]
    equal((told['SubscriptionName'], told['Endpoint']), ('archive', name))

with step('delete them'):
    with refused('ResourceInUse'):
        of_tdmq('DeleteCmqTopic', TopicName=topic)
    of_tdmq('ClearCmqSubscriptionFilterTags', **names)
    of_cmq('DeleteSubscribe', **names)
    of_tdmq('DeleteCmqTopic', TopicName=topic)
    of_tdmq('DeleteCmqQueue', QueueName=name)
    with refused('ResourceNotFound'):
        of_tdmq('DescribeCmqQueueDetail', QueueName=name)

with step('be refused'):
    with refused('AuthFailure.SignatureFailure'):
        client_of(cmq_client.CmqClient, key='wrong').call_json('DeleteQueue', {'QueueName': name})
    with refused('InvalidAction'):
        of_cmq('CreateCmqQueue', QueueName=name)
    with refused('MissingParameter'):
        of_cmq('CreateQueue')
    with refused('UnknownParameter'):
        of_cmq('CreateQueue', QueueName=name, Visibility=30)

if sign == 'TC3-HMAC-SHA256':
    with step('leave the body unsigned'):
        client = client_of(cmq_client.CmqClient, unsignedPayload=True)
        # Other programs may have queues of the same account.
        nobody = [{'Name': 'QueueName', 'Values': ['nobody-has-this-name']}]
        equal(client.call_json('DescribeQueueDetail', {'Limit': 1, 'Filters': nobody})['Response']['QueueSet'], [])
