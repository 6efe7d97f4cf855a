'use strict';
// The only file that touches the addon: finds it, loads it when first needed, wraps every export, and hands out what
// arrives in the mailbox.

const { toError } = require('./classify.js');

/** What each export takes; nothing that is not listed here can be called. */
const EXPORTS = {
  NativeRest: {
    construct: ['string', 'object'],
    methods: { send: ['string', 'string', 'object', 'string'] },
  },
  NativeDevice: {
    construct: ['number', 'object', 'object'],
    methods: {
      open: [],
      close: [],
      twin: [],
      report: ['string'],
      updateToken: ['string'],
      send: ['string'],
      sendBatch: ['string'],
      settle: ['string', 'string'],
      receive: ['boolean'],
    },
    direct: { watch: [], unwatch: [], subscribe: [], unsubscribe: [], setRetry: ['object', 'object', 'object'] },
  },
};

/** A timer that holds the process: the longest there is. */
const HOLD_MS = 0x7fffffff;

/** How the native side begins to say that it found no certificates at all (twin-transport, tls.rs). */
const NOBODY_TRUSTED = 'no certificate is trusted';

let exported;
let mailbox;
let lastId = 0;
/** Who waits for letters, by number. */
const receivers = new Map();
let held = 0;
let holding;

/** The exports, wrapped; loads the addon at the first call. */
function native() {
  return (exported ??= wrapAll(load()));
}

function load() {
  // For those who build it: a binary of their own instead of the installed one.
  if (process.env.AZURE_IOT_NATIVE) return require(process.env.AZURE_IOT_NATIVE);
  const names = candidates();
  for (const name of names) {
    for (const place of [name, `../../${name}`]) {
      try {
        return require(place);
      } catch (error) {
        // Not there is no reason to stop looking; anything else is the reason why it does not work.
        if (error.code !== 'MODULE_NOT_FOUND' || !String(error.message).includes(name)) throw error;
      }
    }
  }
  throw new Error(
    `no native addon for this platform: none of ${names.join(', ')} is installed; ` +
      'install it beside the other packages, or build it (npm run build in bindings-node)',
  );
}

/** The names of packages that can hold the binary for this platform, the likelier first. */
function candidates() {
  const base = `azure-iot-native-${process.platform}-${process.arch}`;
  return process.platform === 'linux' ? [`${base}-gnu`, `${base}-musl`] : [base];
}

function wrapAll(addon) {
  mailbox = new addon.Mailbox(deliver);
  // Node up to 24 can abort when letters arrive while an isolate ends.
  process.once('exit', () => mailbox.close());
  const wrapped = {};
  for (const [name, shape] of Object.entries(EXPORTS)) {
    wrapped[name] = wrapClass(name, addon[name], shape);
  }
  wrapped.nextTime = addon.NativeDevice.nextTime;
  return wrapped;
}

function wrapClass(name, Native, { construct, methods, direct = {} }) {
  class Wrapped {
    #native;
    constructor(...args) {
      this.#native = new Native(mailbox, ...check(name, construct, args));
    }
    /** What makes every request fail, if something does: an error or undefined. */
    problem() {
      const text = this.#native.problem();
      return text ? toError(JSON.parse(text).failure) : undefined;
    }
    static ask(self, method, args) {
      return self.#native[method](...args);
    }
  }
  for (const [method, types] of Object.entries(methods)) {
    // (…arguments, callback): exactly one call of the callback, with (error) or (null, value, body).
    Wrapped.prototype[method] = function (...args) {
      const callback = args.pop();
      const checked = check(`${name}.${method}`, types, args);
      const id = receive((text, body) => {
        receivers.delete(id);
        release();
        let value;
        try {
          value = unwrap(text);
        } catch (error) {
          return callback(error);
        }
        callback(null, value, body);
      });
      hold();
      Wrapped.ask(this, method, [id, ...checked]);
    };
  }
  for (const [method, types] of Object.entries(direct)) {
    Wrapped.prototype[method] = function (...args) {
      Wrapped.ask(this, method, check(`${name}.${method}`, types, args));
    };
  }
  return Wrapped;
}

/** Arguments are checked by the packages; this keeps their mistakes from becoming conversion errors of the addon. */
function check(name, types, args) {
  types.forEach((type, i) => {
    const optional = type.endsWith('?');
    if (optional && (args[i] === undefined || args[i] === null)) return;
    const wanted = optional ? type.slice(0, -1) : type;
    if (typeof args[i] !== wanted || args[i] === null) {
      throw new TypeError(`${name}: argument ${i + 1} is ${args[i] === null ? 'null' : typeof args[i]}, not ${wanted}`);
    }
  });
  return args;
}

/** What an outcome says: returns the value or throws the error. */
function unwrap(text) {
  const outcome = JSON.parse(text);
  if (outcome.failure) throw toError(outcome.failure);
  return outcome.ok;
}

function receive(receiver) {
  do {
    lastId = (lastId + 1) % 0xffffffff;
  } while (receivers.has(lastId));
  receivers.set(lastId, receiver);
  return lastId;
}

/** Hands out everything that waits. One receiver that throws does not take the others' letters with it. */
function deliver() {
  // Whom each letter is for, its text, its body.
  const post = mailbox.take();
  let i = 0;
  const handOut = () => {
    while (i < post.length) {
      i += 3;
      let done = false;
      try {
        receivers.get(post[i - 3])?.(post[i - 2], post[i - 1]);
        done = true;
      } finally {
        if (!done && i < post.length) setImmediate(handOut);
      }
    }
  };
  handOut();
}

/** Keeps the process alive until as many calls of `release`. One timer for all times: making one costs as much as a request. */
function hold() {
  if (held++ > 0) return;
  if (holding) holding.ref();
  else holding = setInterval(() => {}, HOLD_MS);
}

function release() {
  if (--held === 0) holding.unref();
}

/** An instance of an exported class, with connection options as its last argument. */
function construct(name, args, options) {
  const made = new (native()[name])(...args, options);
  // A machine without certificates, a slim container say: Node brings its own, and so the official packages work there.
  if (!options.extraCa && made.problem()?.message.startsWith(NOBODY_TRUSTED)) {
    const extraCa = require('tls').rootCertificates;
    return new (native()[name])(...args, { ...options, extraCa, systemTrust: false });
  }
  return made;
}

module.exports = {
  native,
  construct,
  /** When a cron expression fits next, in milliseconds since 1970; undefined: never, or it is none. */
  nextTime: (cron, after, offsetMinutes) => native().nextTime(cron, after, offsetMinutes) ?? undefined,
  hold,
  release,
  toError,
  /** A number for a client's events; `receiver` gets each as an object until `stopListening`. */
  listen: (receiver) => receive((text) => receiver(JSON.parse(text))),
  stopListening: (id) => receivers.delete(id),
};
