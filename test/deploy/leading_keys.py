"""The condition key dynamodb:LeadingKeys, which ministack leaves out: every condition on it would hold."""

import json
import re

from ministack.core import iam_actions, iam_evaluator

PARTITION_KEY = 'pk'
OPERATIONS = {
    'Put': 'PutItem',
    'Update': 'UpdateItem',
    'Delete': 'DeleteItem',
    'ConditionCheck': 'ConditionCheckItem',
    'Get': 'GetItem',
}
REQUESTED = 'ministack:requestedkeys'


def key_of(part):
    """The partition key that the request, or this part of a batch or a transaction, is about."""
    item = part.get('Key') or part.get('Item')
    if item:
        return item[PARTITION_KEY]['S']
    name = re.search(rf'\b{PARTITION_KEY} = (:\w+)', part['KeyConditionExpression'])[1]
    return part['ExpressionAttributeValues'][name]['S']


def requested_keys(request):
    """As (table, operation, key), the operation being None where the request has but one."""
    if 'RequestItems' in request:
        for table, wanted in request['RequestItems'].items():
            if 'Keys' in wanted:
                parts = [dict(Key=key) for key in wanted['Keys']]
            else:
                parts = [part for write in wanted for part in write.values()]
            yield from ((table, None, key_of(part)) for part in parts)
    elif 'TransactItems' in request:
        for item in request['TransactItems']:
            for name, part in item.items():
                yield part['TableName'], OPERATIONS[name], key_of(part)
    elif request.keys() & {'Key', 'Item', 'KeyConditionExpression'}:
        yield request['TableName'], None, key_of(request)


context_of, resolve = iam_actions.dynamodb_service_context, iam_evaluator._resolve_condition_key


def context_with_keys(body):
    return {**context_of(body), REQUESTED: list(requested_keys(json.loads(body or b'{}')))}


def resolve_leading_keys(key, context):
    if key.lower() != 'dynamodb:leadingkeys':
        return resolve(key, context)
    table, operation = context.resource_arn.rpartition('/')[2], context.action.rpartition(':')[2]
    requested = context.service_context.get(REQUESTED, [])
    return [key for name, of, key in requested if name == table and of in (None, operation)]


iam_actions.dynamodb_service_context = context_with_keys
iam_evaluator._resolve_condition_key = resolve_leading_keys
