// Retry policies and operations.
'use strict';
const { NoRetry, ExponentialBackOffWithJitter, RetryOperation, errors } = require('azure-iot-common');
const { say, soon } = require('../support');

const none = new NoRetry();
say('none', none.nextRetryTimeout(1, false), none.shouldRetry(new errors.TimeoutError('t')));
const random = Math.random;
Math.random = () => 1;
const policy = new ExponentialBackOffWithJitter();
say('policy', policy.immediateFirstRetry, { ...policy.normalParameters }, { ...policy.throttledParameters });
say('normal', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => policy.nextRetryTimeout(n, false)));
say('throttled', [0, 1, 2, 3, 4, 5, 6, 7].map((n) => policy.nextRetryTimeout(n, true)));
say('not at once', new ExponentialBackOffWithJitter(false).nextRetryTimeout(0, false));
say('retried', Object.keys(errors).filter((name) => policy.shouldRetry(new errors[name]('text'))));
say('others', policy.shouldRetry(new Error('plain')), policy.shouldRetry(Object.assign(new Error('named'), { name: 'TimeoutError' })));
Math.random = random;

(async () => {
  const quick = { shouldRetry: (err) => err.name === 'TimeoutError', nextRetryTimeout: () => 1 };
  for (const [name, results] of Object.entries({
    'at once': [[null, 'a', 'b']],
    'third time': [[new errors.TimeoutError('1')], [new errors.TimeoutError('2')], [null, 'c']],
    final: [[new errors.TimeoutError('1')], [new errors.FormatError('2')]],
  })) {
    let attempts = 0;
    const args = await soon(new Promise((resolve) =>
      new RetryOperation('op', quick, 1000).retry((done) => done(...results[attempts++]), (...given) => resolve(given))));
    say(name, attempts, ...args);
  }
})();
