"""Runs ministack until its standard input ends, whoever ends that, and then ends with all that it has started.

Four things are not as in the cloud, and are made so. A reference to a secret is the secret's ARN and not its name: a role
that may read it would have no right at all. A schedule is created in the group that the request names: a role that may
create them in its group would have no right either. Conditions on partition keys are held (leading_keys.py). And schedules
are looked at every second, not every ten.
"""

import json
import os
import signal
import sys
import threading

from ministack import app
from ministack.core import iam_actions
from ministack.services import scheduler
from ministack.services.cloudformation import provisioners

sys.path.insert(0, os.path.dirname(__file__))
import leading_keys  # noqa: E402, F401

scheduler._SCHEDULE_TICK_INTERVAL = 1

secrets = provisioners._RESOURCE_HANDLERS['AWS::SecretsManager::Secret']
create, update, delete = secrets['create'], secrets['update'], secrets['delete']


def name_of(arn):
    """arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX"""
    return arn.rpartition(':')[2].rpartition('-')[0]


def by_arn(result):
    _, attributes = result
    return attributes['Arn'], attributes


secrets['create'] = lambda *args, **kwargs: by_arn(create(*args, **kwargs))
secrets['update'] = lambda arn, *args, **kwargs: by_arn(update(name_of(arn), *args, **kwargs))
secrets['delete'] = lambda arn, properties: delete(name_of(arn), properties)

resource_of = iam_actions.extract_resource_arn


def resource_in_group(service, method, path, headers, body, *args):
    resource = resource_of(service, method, path, headers, body, *args)
    if service != 'scheduler' or not body:
        return resource
    return resource.replace(':schedule/default/', f":schedule/{json.loads(body).get('GroupName', 'default')}/")


iam_actions.extract_resource_arn = resource_in_group


def end_with_input():
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


threading.Thread(target=end_with_input, daemon=True).start()
app.main()
