import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { load, throws } from './support.js';

const { encode, encodeInPieces } = await load('runtime/json.js');

const nested = (depth) => {
  let value = [];
  for (let i = 1; i < depth; i += 1) value = i % 2 ? { a: value } : [value];
  return value;
};
const task = (payload) => [{ taskType: 't', payload }];
const refused = (args, expected, raw = 0, names = undefined) => throws(() => encode(args, raw, names), { code: 'INVALID_ARGUMENT', ...expected });

test('good_json_is_encoded_as_json_stringify_would', () => {
  const args = [{ taskType: 't', payload: { a: [1, -0.5, 'ü😀', null, true, { b: {} }], 'odd key': '' }, priority: 5 }];
  assert.equal(encode(args, 0), JSON.stringify(args));
});

test('trailing_undefined_arguments_are_dropped_and_one_in_the_middle_becomes_null', () => {
  assert.equal(encode(['a', undefined, undefined], 0), '["a"]');
  assert.equal(encode([undefined], 0), '[]');
  assert.equal(encode(['a', undefined, 'b'], 0), '["a",null,"b"]');
});

test('undefined_properties_are_dropped', () => {
  assert.equal(encode(task({ a: undefined, b: 1 }), 0), '[{"taskType":"t","payload":{"b":1}}]');
  assert.equal(encode([{ taskType: 't', payload: undefined, queue: undefined }], 0), '[{"taskType":"t"}]');
});

test('what_json_would_lose_is_refused_with_its_path', () => {
  const path = 'payload.steps[3].score';
  for (const [score, message] of [
    [NaN, /NaN is not JSON/],
    [Infinity, /Infinity is not JSON/],
    [-Infinity, /-Infinity is not JSON/],
    [2 ** 53, /2\^53/],
    [-(2 ** 53), /2\^53/],
    [1e300, /2\^53/],
    [1n, /a bigint is not JSON/],
    [() => 1, /a function is not JSON/],
    [Symbol('s'), /a symbol is not JSON/],
    ['\ud800', /lone surrogate/],
    ['a\udc00b', /lone surrogate/],
    [new Map(), /a Map is not a plain object/],
    [new Set(), /a Set is not a plain object/],
    [new (class Point {})(), /a Point is not a plain object/],
    [new Uint8Array(2), /a Uint8Array is not a plain object/],
    [new ArrayBuffer(2), /an ArrayBuffer is not a plain object/],
    [Object(1), /a Number is not a plain object/],
    [/x/, /a RegExp is not a plain object/],
    [new Error('x'), /an Error is not a plain object/],
    [Promise.resolve(), /a Promise is not a plain object/],
    [new Date(), /a Date is not JSON/],
    [runInNewContext('new Date()'), /a Date is not JSON/],
  ]) {
    refused(task({ steps: [{}, {}, {}, { score }] }), { field: path, message }, 0);
  }
});

test('the_largest_exact_integers_and_every_fraction_are_good', () => {
  const numbers = [Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1, 5e-324, 4503599627370495.5];
  assert.deepEqual(JSON.parse(encode(task(numbers), 0))[0].payload, numbers);
});

test('undefined_and_holes_in_arrays_are_refused', () => {
  refused(task([1, undefined]), { field: 'payload[1]', message: /an undefined is not JSON/ });
  // eslint-disable-next-line no-sparse-arrays
  refused(task([1, , 3]), { field: 'payload[1]' });
});

test('a_lone_surrogate_in_a_key_is_refused', () => {
  refused(task({ a: { '\ud800': 1 } }), { field: 'payload.a', message: /key/ });
  refused([{ '\udfff': 1 }], { message: /key/ });
  assert.match(encode(task({ '😀': 1 }), 0), /😀/);
});

test('a_function_named_to_json_does_not_get_to_speak', () => {
  refused(task({ toJSON: () => 1 }), { field: 'payload.toJSON' });
});

test('json_may_be_nested_128_deep_and_not_129', () => {
  assert.ok(encode(task(nested(128)), 0));
  refused(task(nested(129)), { message: /cyclic or nested deeper than 128/ });
  assert.ok(encode([nested(128)], 1));
  refused([nested(129)], { message: /cyclic or nested deeper than 128/ }, 1);
});

test('ten_thousand_levels_and_cycles_are_refused_without_overflowing_the_stack', () => {
  refused(task(nested(10_000)), { message: /cyclic or nested deeper than 128/ });
  const cyclic = { list: [] };
  cyclic.list.push(cyclic);
  const error = refused(task(cyclic), { message: /cyclic/ });
  assert.ok(error.field.startsWith('payload.list[0].list[0]'));
  assert.ok(error.field.length < 100);
  const options = { limit: 1 };
  options.where = options;
  refused([options], { message: /cyclic/ });
});

test('outside_json_fields_the_same_depth_holds_for_the_whole_argument', () => {
  assert.ok(encode([{ options: nested(127) }], 0));
  refused([{ options: nested(128) }], { message: /deeper than 128/ });
  assert.ok(encode([[nested(127)]], 0));
  refused([[nested(128)]], { message: /deeper than 128/, index: 0 });
});

test('what_somebody_gave_to_every_object_is_not_taken_for_the_callers', () => {
  // eslint-disable-next-line no-extend-native
  Object.prototype.extension = () => 1;
  try {
    assert.equal(encode(task({ a: {} }), 0), '[{"taskType":"t","payload":{"a":{}}}]');
  } finally {
    delete Object.prototype.extension;
  }
});

test('the_same_object_twice_is_no_cycle', () => {
  const shared = { a: 1 };
  assert.equal(encode(task([shared, shared]), 0), '[{"taskType":"t","payload":[{"a":1},{"a":1}]}]');
});

test('a_date_outside_json_fields_becomes_milliseconds_and_the_callers_object_stays', () => {
  const row = { taskType: 't', runAt: new Date(1234), payload: {} };
  const rows = [{ taskType: 'u' }, row];
  assert.equal(encode([row], 0), '[{"taskType":"t","runAt":1234,"payload":{}}]');
  assert.equal(encode([rows], 0), '[[{"taskType":"u"},{"taskType":"t","runAt":1234,"payload":{}}]]');
  assert.equal(encode([{ where: { createdAt: new Date(5) } }], 0), '[{"where":{"createdAt":5}}]');
  assert.equal(encode([new Date(7)], 0), '[7]');
  assert.equal(encode([runInNewContext('({ runAt: new Date(9) })')], 0), '[{"runAt":9}]');
  assert.ok(row.runAt instanceof Date);
  assert.equal(rows[1], row);
});

test('an_invalid_date_is_refused', () => {
  refused([{ taskType: 't', runAt: new Date(NaN) }], { field: 'runAt', message: /Date is invalid/ });
});

test('a_fault_in_one_of_many_rows_names_the_row', () => {
  const rows = [{ payload: 1 }, { payload: 2 }, { payload: { a: [NaN] } }];
  refused([rows], { field: 'payload.a[0]', index: 2 });
  refused([['a', 1n]], { index: 1, field: 'ids' }, 0, ['ids']);
});

test('many_rows_come_in_pieces_of_the_same_text', () => {
  for (const count of [256, 257, 512, 1000]) {
    const rows = Array.from({ length: count }, (_, i) => ({ taskType: `t${i}`, payload: { i, text: 'ü😀"' } }));
    for (const args of [[rows], ['stream', rows, { expected: 'any' }], [rows, undefined, rows]]) {
      const text = encodeInPieces(args, 0);
      assert.equal(Array.isArray(text), count > 256);
      assert.equal(encode(args, 0), JSON.stringify(args));
    }
  }
});

test('a_lone_surrogate_in_one_of_many_rows_names_the_row', () => {
  const rows = Array.from({ length: 700 }, () => ({ taskType: 't', payload: { a: ['ok'], 'b c': 'ok' } }));
  for (const [at, payload, field] of [[3, { a: ['ok', 'x\ud800'] }, 'payload.a[1]'], [600, { 'b\udc00': 1 }, 'payload'], [699, '\udfff', 'payload']]) {
    const bad = rows.with(at, { taskType: 't', payload });
    refused([bad], { field, index: at, message: /lone surrogate/ });
  }
  refused([rows.with(300, { taskType: '\udbff', payload: 1 })], { field: 'taskType', index: 300 });
});

test('text_that_looks_like_an_escaped_surrogate_is_kept', () => {
  const args = task({ text: String.raw`\ud800`, '\\udc00': ['\\ud83d'] });
  assert.equal(encode(args, 0), JSON.stringify(args));
});

test('a_fault_in_an_argument_itself_names_the_argument', () => {
  refused([1n], { field: 'id' }, 0, ['id']);
  refused(['a', NaN], { field: 'argument 2', index: undefined });
  refused(['\ud800'], { field: 'id', message: /lone surrogate/ }, 0, ['id']);
  refused(['id', 'token', new Date()], { field: 'result' }, 4, ['id', 'leaseToken', 'result']);
  refused(['key', [{ deep: [NaN] }]], { field: 'value[0].deep[0]' }, 2, ['key', 'value']);
  refused(['key', { deep: [NaN] }], { field: 'value.deep[0]' }, 2, ['key', 'value']);
  refused([new Map()], { field: 'task' }, 0, ['task']);
});

test('a_raw_argument_is_json_and_its_field_names_mean_nothing', () => {
  const result = { payload: { deep: nested(127) }, runAt: 1 };
  refused(['id', 'token', result], { message: /deeper than 128/ }, 4);
  assert.ok(encode(['id', 'token', { payload: nested(127) }], 4));
});

test('objects_without_a_prototype_and_from_other_realms_are_plain', () => {
  assert.equal(encode(task(Object.assign(Object.create(null), { a: 1 })), 0), '[{"taskType":"t","payload":{"a":1}}]');
  assert.equal(encode(runInNewContext('[{ taskType: "t", payload: [{ a: 1 }] }]'), 0), '[{"taskType":"t","payload":[{"a":1}]}]');
  refused(task(runInNewContext('new Map()')), { field: 'payload', message: /a Map/ });
});

test('a_key_named_proto_stays_a_key', () => {
  const row = JSON.parse('{"__proto__": {"a": 1}, "payload": {"__proto__": 2}}');
  row.runAt = new Date(3);
  assert.equal(encode([row], 0), '[{"__proto__":{"a":1},"payload":{"__proto__":2},"runAt":3}]');
});

test('keys_that_are_no_identifiers_are_quoted_in_the_path', () => {
  refused(task({ 'a b': { c: NaN } }), { field: 'payload["a b"].c' });
});

test('lone_surrogates_are_found_without_is_well_formed_as_well', async () => {
  const native = String.prototype.isWellFormed;
  delete String.prototype.isWellFormed;
  try {
    const older = await load('runtime/json.js?older');
    assert.equal(older.isWellFormed('a😀b'), true);
    for (const text of ['\ud800', 'x\udc00', '\udc00\ud800', '😀\ud83d']) assert.equal(older.isWellFormed(text), false);
  } finally {
    // eslint-disable-next-line no-extend-native
    Object.defineProperty(String.prototype, 'isWellFormed', { value: native, configurable: true, writable: true });
  }
});
