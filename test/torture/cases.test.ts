import { describe, expect, it } from 'vitest'
import { aimsNotPassed, caseOf } from './cases.ts'
import { aimsFor } from './crash-points.ts'
import { CALM } from './profile.ts'
import { runProgram } from './run-seed.ts'

describe('given the places that a case has passed', () => {
  it('when it aims at others too, then those alone are told', async () => {
    const { points } = await runProgram(caseOf(5, 30).program, { profile: CALM })
    const passed = aimsFor(points)
    expect(passed).not.toEqual([])
    expect(aimsNotPassed(passed, points)).toEqual([])
    expect(aimsNotPassed(['zzz', ...passed, 'elsewhere'], points)).toEqual(['zzz', 'elsewhere'])
  })
})
