// An answer of the REST interface, with what callers use of Node's `IncomingMessage`.
'use strict';

const { Readable } = require('node:stream');

/** Headers of which the first counts and others are dropped, as Node does (`http.IncomingMessage`, "message.headers"). */
const SINGLE = new Set(['age', 'authorization', 'content-length', 'content-type', 'etag', 'expires', 'from', 'host',
  'if-modified-since', 'if-unmodified-since', 'last-modified', 'location', 'max-forwards', 'proxy-authorization',
  'referer', 'retry-after', 'server', 'user-agent']);

class Response extends Readable {
  #body;
  #headers;

  /** `rawHeaders` are names and values in turn. */
  constructor(statusCode, rawHeaders, body) {
    super();
    this.statusCode = statusCode;
    this.rawHeaders = rawHeaders;
    this.httpVersion = '1.1';
    this.httpVersionMajor = 1;
    this.httpVersionMinor = 1;
    this.complete = true;
    this.#body = body;
  }

  /** The body, to who reads it again; callers have it parsed already. */
  _read() {
    if (this.#body) this.push(this.#body);
    this.push(null);
  }

  /** The usual phrase for the status: the one that was sent has no meaning. */
  get statusMessage() {
    return require('node:http').STATUS_CODES[this.statusCode] ?? '';
  }

  /** Values by lower-case name. */
  get headers() {
    return (this.#headers ??= named(this.rawHeaders));
  }

  /** A connection is shared and nobody's; there to be asked for nothing. */
  setTimeout(_ms, callback) {
    if (callback) this.once('timeout', callback);
    return this;
  }
}

function named(raw) {
  const headers = {};
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    const value = raw[i + 1];
    const present = Object.hasOwn(headers, name);
    if (name === 'set-cookie') (headers[name] ??= []).push(value);
    else if (!present) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] += `${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

module.exports = { Response };
