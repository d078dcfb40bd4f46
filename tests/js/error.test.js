import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, SwarmStoreError } from './support.js';

const { fromPlain, fromText, toPlain } = await load('runtime/error.js');

const known = {
  code: 'QUOTA',
  message: 'the disk is full',
  retryable: true,
  table: 'tasks',
  id: 't1',
  field: 'payload',
  index: 0,
  actual: 0,
  committed: true,
  cause: { name: 'QuotaExceededError', message: 'no space' },
};

test('an_error_of_the_rust_side_arrives_with_all_it_knows', () => {
  const error = fromText(JSON.stringify(known));
  assert.ok(error instanceof SwarmStoreError);
  assert.ok(error instanceof Error);
  assert.equal(error.name, 'SwarmStoreError');
  assert.equal(`${error}`, 'SwarmStoreError: the disk is full');
  const { cause, ...rest } = known;
  for (const [key, value] of Object.entries(rest)) assert.equal(error[key], value, key);
  assert.ok(error.cause instanceof Error);
  assert.deepEqual([error.cause.name, error.cause.message], [cause.name, cause.message]);
});

test('what_is_not_known_is_no_property', () => {
  const error = fromText('{"code":"NOT_FOUND","message":"m","retryable":false,"id":null}');
  assert.deepEqual(Object.keys(error).sort(), ['code', 'retryable']);
  assert.equal('cause' in error, false);
});

test('an_error_survives_a_port', () => {
  const error = fromPlain(structuredClone(toPlain(fromText(JSON.stringify(known)))));
  assert.deepEqual(toPlain(error), known);
});

test('any_cause_is_described', () => {
  for (const [cause, name, message] of [
    [new TypeError('t'), 'TypeError', 't'],
    [new DOMException('gone', 'InvalidStateError'), 'InvalidStateError', 'gone'],
    ['text', 'Error', 'text'],
  ]) {
    const plain = structuredClone(toPlain(new SwarmStoreError('UNAVAILABLE', 'm', { cause })));
    assert.deepEqual(plain.cause, { name, message });
  }
});

test('what_is_no_error_of_ours_becomes_internal', () => {
  assert.equal(fromText('not json').code, 'INTERNAL');
  assert.equal(fromText('42').code, 'INTERNAL');
  assert.equal(fromText('null').code, 'INTERNAL');
  assert.deepEqual(toPlain(new RangeError('r')), {
    code: 'INTERNAL',
    message: 'unexpected failure: r',
    retryable: false,
    cause: { name: 'RangeError', message: 'r' },
  });
});
