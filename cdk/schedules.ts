import {
  aws_iam as iam,
  type aws_lambda as lambda,
  aws_scheduler as scheduler,
  aws_sqs as sqs,
  Duration,
  RemovalPolicy,
  Stack,
  Validations,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { runVariables } from '../lib/names.ts'
import { allow, letStart } from './rights.ts'

type Group = scheduler.IScheduleGroup

const service = 'scheduler.amazonaws.com'

/** A role that the schedules of this group take on, and nobody else's. */
export function createScheduleRole(scope: Construct, id: string, { scheduleGroupArn }: Group): iam.Role {
  const ours = { 'aws:SourceAccount': Stack.of(scope).account, 'aws:SourceArn': scheduleGroupArn }
  return new iam.Role(scope, id, {
    assumedBy: new iam.ServicePrincipal(service, { conditions: { StringEquals: ours } }),
  })
}

/** What tells a function where its wake-ups are made. */
export const wakeUpVariables = ({ scheduleGroupName }: Group, { roleArn }: iam.IRole) => ({
  [runVariables.scheduleGroup]: scheduleGroupName,
  [runVariables.scheduleRole]: roleArn,
})

/** Lets a function make one-time schedules in the group, named after its duty, which call it in that role. */
export function letWakeItself(
  itself: lambda.Function,
  { scheduleGroupName }: Group,
  role: iam.Role,
  duty: 'push' | 'release',
): void {
  const resourceName = `${scheduleGroupName}/${duty}-*`
  const stack = Stack.of(itself)
  allow(itself, stack.formatArn({ service: 'scheduler', resource: 'schedule', resourceName }), 'scheduler', [
    'CreateSchedule',
  ])
  allow(itself, role.roleArn, 'iam', ['PassRole'], { StringEquals: { 'iam:PassedToService': service } })
  letStart(role, itself)

  // As findings have it: with the names of what deployment gives.
  const [partition, region, account] = [stack.partition, stack.region, stack.account].map((value) => {
    const { Ref } = stack.resolve(value) as { Ref?: string }
    return Ref === undefined ? value : `<${Ref}>`
  })
  Validations.of(itself.role ?? itself).acknowledge({
    id: `AwsSolutions-IAM5[Resource::arn:${partition}:scheduler:${region}:${account}:schedule/${resourceName}]`,
    reason: 'The names of schedules say what they are for, which is known when they are made',
  })
}

/** Where Scheduler leaves the calls of a recurring schedule that could not be made: what they say is when they were due. */
export function createFailedBeats(scope: Construct): sqs.Queue {
  const queue = new sqs.Queue(scope, 'FailedBeats', {
    retentionPeriod: Duration.days(14),
    encryption: sqs.QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.DESTROY,
  })
  Validations.of(queue).acknowledge({ id: 'AwsSolutions-SQS3', reason: 'It is itself where failed calls are left' })
  return queue
}

/** How the functions are called that look after what is left behind. */
export interface Beat {
  readonly group: Group
  readonly role: iam.Role
  readonly failed: sqs.IQueue
}

/** Calls the function every minute. */
export function everyMinute(called: lambda.Function, { group, role, failed }: Beat): void {
  letStart(role, called)
  new scheduler.CfnSchedule(called, 'EveryMinute', {
    groupName: group.scheduleGroupName,
    scheduleExpression: 'rate(1 minute)',
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: called.functionArn,
      roleArn: role.roleArn,
      // A call that failed is not repeated: the next one comes by itself.
      retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
      deadLetterConfig: { arn: failed.queueArn },
    },
  })
}
