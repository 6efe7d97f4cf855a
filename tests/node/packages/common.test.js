'use strict';
// azure-iot-common, compared with the official package value by value.

const assert = require('assert');
const { test } = require('node:test');
const ours = require('azure-iot-common');

const theirs = require(require.resolve('azure-iot-common', { paths: [process.env.OFFICIAL_PACKAGES] }));

/** What a call ends with: a value, or an error's class, name and message. */
function end(call) {
  try {
    return { value: call() };
  } catch (error) {
    return { error: error.constructor.name, name: error.name, message: error.message };
  }
}

const plain = (value) => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

test('there are two packages to compare', () => {
  assert.notStrictEqual(ours, theirs);
});

test('the same keys, the same undefined ones', () => {
  const shape = (value) => Object.fromEntries(Object.keys(value).sort().map((key) => [key, typeof value[key]]));
  assert.deepStrictEqual(shape(ours), shape(theirs));
  for (const room of ['errors', 'results', 'endpoint']) assert.deepStrictEqual(shape(ours[room]), shape(theirs[room]), room);
});

test('errors', () => {
  for (const name of Object.keys(theirs.errors)) {
    const facts = (errors) => {
      const error = new errors[name]('what');
      return [error.name, error.message, error.constructor.name, error instanceof Error, Object.keys(error), String(error), JSON.stringify(error)];
    };
    assert.deepStrictEqual(facts(ours.errors), facts(theirs.errors), name);
  }
});

test('results', () => {
  for (const name of Object.keys(theirs.results)) {
    const make = (results) => new results[name]('a', 'b');
    assert.deepStrictEqual({ ...make(ours.results) }, { ...make(theirs.results) }, name);
    assert.strictEqual(make(ours.results).constructor.name, name);
  }
});

const CALLS = {
  connectionString: (c) => [
    ...['', 'a=b', 'a=b;a=c', 'A=;B=1', '=x;y', 'HostName=h;DeviceId=d;SharedAccessKey=a==', ' a = b ', 'a=b=c;;'].map(
      (text) => () => c.ConnectionString.parse(text),
    ),
    () => c.ConnectionString.parse(undefined),
    () => c.ConnectionString.parse('a=b', ['c']),
    () => c.ConnectionString.parse('a=b', ['a']),
  ],
  sas: (c) => [
    () => c.SharedAccessSignature.create('h%2Fdevices%2Fd', null, 'a2V5', 12345).toString(),
    () => c.SharedAccessSignature.create('h', "it's (a) *name*!", 'a2V5', 12345).toString(),
    () => c.SharedAccessSignature.create('h', 'n', 'a2V5', 12345).extend(99),
    () => c.SharedAccessSignature.create('h', 'n', 'a2V5', 12345).extend(0),
    () => c.SharedAccessSignature.create(undefined, 'n', 'k', 1),
    () => c.SharedAccessSignature.create('h', 'n', '', 1),
    () => c.SharedAccessSignature.create('h', 'n', 'k', 0),
    ...['SharedAccessSignature sr=a&sig=b&se=1', 'SharedAccessSignature sr=a sig=b', 'x sr=a', ''].map(
      (text) => () => c.SharedAccessSignature.parse(text).toString(),
    ),
    () => c.SharedAccessSignature.parse('SharedAccessSignature sr=a', ['sr', 'se']),
    () => c.SharedAccessSignature.createWithSigningFunction(null, 1, () => {}, () => {}),
  ],
  text: (c) => [
    ...["a b/c!'()*~", 'ü€', '%'].map((text) => () => c.encodeUriComponentStrict(text)),
    () => Math.abs(c.anHourFromNow() - Date.now() / 1000 - 3600) < 2,
  ],
  endpoint: (c) => Object.keys(c.endpoint).filter((key) => typeof c.endpoint[key] === 'function').map((key) => () => c.endpoint[key]('d', 'm', 'x/y')),
  message: (c) => {
    const message = new c.Message('text');
    message.setAsSecurityMessage();
    return [
      () => ({ ...new c.Message('x') }),
      () => ({ ...message }),
      () => new c.Message('ü').getBytes().toString('hex'),
      () => new c.Message(Buffer.from('ab')).getBytes().toString(),
      () => new c.Message('d').getData(),
      () => message.properties.add('a', '1'),
      () => message.properties.add('Authorization', '1'),
      () => message.properties.add('iothub-to', '1'),
      () => [message.properties.count(), message.properties.getItem(0), message.properties.getItem(5), message.properties.getItem(-1), message.properties.getValue('a'), message.properties.getValue('b')],
      ...[Buffer.alloc(1), 'a', [1], new ArrayBuffer(1), {}, null, 1, undefined].map((value) => () => c.Message.isBufferConvertible(value)),
    ];
  },
  retry: (c) => {
    const policy = new c.ExponentialBackOffWithJitter();
    return [
      () => plain(policy),
      () => plain(new c.ExponentialBackOffWithJitter(false)).immediateFirstRetry,
      ...Object.keys(c.errors).map((name) => () => policy.shouldRetry(new c.errors[name]('x'))),
      () => policy.shouldRetry(new Error('x')),
      () => policy.nextRetryTimeout(0, false),
      () => [1, 20].map((n) => policy.nextRetryTimeout(n, false)),
      () => [0, 1, 20].map((n) => policy.nextRetryTimeout(n, true)),
      () => [new c.NoRetry().nextRetryTimeout(1), new c.NoRetry().shouldRetry(new Error())],
    ];
  },
  promises: (c) => [
    () => c.callbackToPromise(() => {}, 'no function'),
    () => c.tripleValueCallbackToPromise(() => {}, () => {}, 1),
    () => c.noErrorCallbackToPromise((done) => done(1), (value) => value),
  ],
};

for (const [name, calls] of Object.entries(CALLS)) {
  test(name, (t) => {
    t.mock.method(Math, 'random', () => 1);
    const [mine, official] = [calls(ours), calls(theirs)];
    mine.forEach((call, i) => assert.deepStrictEqual(plain(end(call)), plain(end(official[i])), `${name} ${i}`));
  });
}

test('retry operations', async () => {
  const run = (c) =>
    new Promise((resolve) => {
      const seen = [];
      const policy = {
        shouldRetry: (error) => error.message !== 'final',
        nextRetryTimeout: (count, throttled) => {
          seen.push([count, throttled]);
          return 0;
        },
      };
      const failures = [new c.errors.ThrottlingError('a'), new Error('b'), new Error('final')];
      new c.RetryOperation('op', policy, 1000).retry(
        (done) => done(failures.shift()),
        (...args) => resolve([seen, args.map(String)]),
      );
    });
  assert.deepStrictEqual(await run(ours), await run(theirs));
});

test('http promises', async () => {
  const both = (c) => c.httpCallbackToPromise((done) => done(null, 'body', 'response'));
  assert.deepStrictEqual(await both(ours), await both(theirs));
});
