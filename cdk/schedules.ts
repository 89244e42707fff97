import { aws_iam as iam, type aws_lambda as lambda, aws_scheduler as scheduler, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { runVariables } from '../lib/names.ts'
import { allow, letStart } from './functions.ts'

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

/** Lets a function make one-time schedules in the group, which call it in that role. */
export function letWakeItself(itself: lambda.Function, { scheduleGroupName }: Group, role: iam.Role): void {
  const resourceName = `${scheduleGroupName}/*`
  const schedules = Stack.of(itself).formatArn({ service: 'scheduler', resource: 'schedule', resourceName })
  allow(itself, schedules, 'scheduler', ['CreateSchedule'])
  allow(itself, role.roleArn, 'iam', ['PassRole'], { StringEquals: { 'iam:PassedToService': service } })
  letStart(role, itself)
}

/** Calls the function every minute. */
export function everyMinute(called: lambda.Function, { scheduleGroupName }: Group, role: iam.Role): void {
  letStart(role, called)
  new scheduler.CfnSchedule(called, 'EveryMinute', {
    groupName: scheduleGroupName,
    scheduleExpression: 'rate(1 minute)',
    flexibleTimeWindow: { mode: 'OFF' },
    target: {
      arn: called.functionArn,
      roleArn: role.roleArn,
      // A call that failed is not repeated: the next one comes by itself.
      retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 },
    },
  })
}
