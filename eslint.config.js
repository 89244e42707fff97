import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Forbids a folder some imports. Each row is [what, why]; the reason is what the linter prints. */
const forbid = (files, ...rows) => ({
  files,
  rules: {
    'no-restricted-imports': ['error', { patterns: rows.map(([regex, message]) => ({ regex, message })) }],
  },
})

const test = ['(^|/)test/', 'What runs never depends on its tests.']
const cdk = ['(^|/)cdk/|^aws-cdk', 'cdk/ describes the deployment; what is deployed does not know it.']
const functions = ['(^|/)functions/', 'functions/ calls lib/, never the other way round.']

export default defineConfig(
  globalIgnores(['eslint.config.js', 'node_modules', 'cdk.out', 'coverage', '.cmq', '.venv']),
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // Objects are made of closures here; nothing refers to `this`.
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: 'error',
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Import a name from the file that defines it.' },
        { selector: 'ExportNamedDeclaration[source]', message: 'Import a name from the file that defines it.' },
        {
          selector:
            'CallExpression[callee.object.name="vi"][callee.property.name=/^(mock|doMock|unmock|resetModules)$/]',
          message: 'Test files share what they have loaded: pass what the test wants otherwise.',
        },
      ],
    },
  },
  {
    files: ['lib/**', 'functions/**', 'cdk/**'],
    rules: {
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true, named: true, defaultFrom: true } }],
    },
  },
  forbid(
    ['lib/domain/**'],
    ['\\.\\./', 'lib/domain is what CMQ means: it imports only itself.'],
    ['^(@|aws-|valibot|middy)', 'lib/domain is pure: no AWS, no framework, no validation library.'],
    ['^node:(?!crypto$|buffer$)', 'lib/domain is pure: no clock, no files, no network.'],
  ),
  forbid(
    ['lib/protocol/**'],
    ['/store/', 'The wire and the store do not know each other: a handler brings them together.'],
    ['^@(aws-sdk|middy)', 'lib/protocol is text in, values out: no AWS, no framework.'],
    functions,
    cdk,
    test,
  ),
  forbid(
    ['lib/store/**'],
    ['/protocol/', 'The store and the wire do not know each other: a handler brings them together.'],
    ['^@middy', 'The store is called by handlers, not by their framework.'],
    functions,
    cdk,
    test,
  ),
  forbid(
    ['lib/push/**'],
    ['/protocol/', 'A push and the wire do not know each other: a handler brings them together.'],
    ['^@(aws-sdk|middy)', 'lib/push reaches what is stored through lib/store, and subscribers through node:http.'],
    functions,
    cdk,
    test,
  ),
  forbid(
    ['lib/*.ts', 'lib/local/**', 'lib/cli/**'],
    ['/client-dynamodb', 'lib/store alone knows DynamoDB.'],
    functions,
    cdk,
    test,
  ),
  forbid(['functions/**'], ['/client-dynamodb', 'lib/store alone knows DynamoDB.'], cdk, test),
  forbid(
    ['cdk/**'],
    ['(^|/)lib/(?!names|tables)', 'cdk/ shares names and tables with the functions, nothing that runs.'],
    functions,
    test,
  ),
  { files: ['functions/local.ts', 'test/**', 'cdk/**'], rules: { 'no-console': 'off' } },
  {
    files: ['test/**'],
    rules: {
      // What answers hold is read from JSON in tests, and checked by the assertion itself.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
)
