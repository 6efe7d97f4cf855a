// REST requests of one hub: who asks, in which words, and what the answer means. The native side carries them.
'use strict';

const { anHourFromNow, errors } = require('azure-iot-common');
const { native } = require('azure-iot-common/lib/native.js');
const { connectionOptions } = require('azure-iot-common/lib/trust.js');
const debug = require('azure-iot-common/lib/debug.js')('azure-iothub:RestApiClient');
const { refusal } = require('./refusal');
const { Response } = require('./response');

const { name, version } = require('../package.json');
const USER_AGENT = `${name}/${version}`;

/** How long before its end a token of Microsoft Entra ID is replaced, in ms. */
const RENEW_BEFORE_MS = 9 * 60 * 1000;

/** How long a signature is used again: the time in a token is in seconds. */
const SIGN_EVERY_MS = 1000;

/** What Node refuses in the value of a header. */
const UNSAYABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Loaded when first needed: most of what it brings is not. */
let randomUUID;

class RestApiClient {
  // Private, so that nothing prints a key.
  #config;
  #options = {};
  #native;
  #accessToken;
  #signed = { at: -Infinity };

  constructor(config) {
    this.#config = config;
  }

  /** `done(err)` or `done(null, body, response)`; the body is parsed if it is JSON, else `''`. Wrong arguments throw. */
  executeApiCall(method, path, headers, requestBody, done) {
    const said = { ...headers };
    const body = requestBody ? text(requestBody) : '';
    if (this.#config.tokenCredential) {
      this.#bearer().then((token) => this.#send(method, path, said, token, body, done)).catch(done);
    } else {
      this.#send(method, path, said, this.#token(), body, done);
    }
  }

  updateSharedAccessSignature(sharedAccessSignature) {
    if (!sharedAccessSignature) {
      throw new ReferenceError(`sharedAccessSignature cannot be '${sharedAccessSignature}'`);
    }
    this.#config = { ...this.#config, sharedAccessSignature };
    this.#signed = { at: -Infinity };
  }

  /** `ca`: trusted in place of the usual certificates. `http.agent`: only its proxy, if it names one, is used. */
  setOptions(options) {
    this.#options = { ...this.#options, ...options };
    this.#native = undefined;
  }

  #send(method, path, headers, token, body, done) {
    headers.Authorization = token;
    headers['Request-Id'] = (randomUUID ??= require('node:crypto').randomUUID)();
    headers['User-Agent'] = USER_AGENT;
    const flat = [];
    for (const header of Object.keys(headers)) {
      const said = String(headers[header]);
      if (UNSAYABLE.test(said)) throw unsayable(header);
      flat.push(header, said);
    }
    // Bodies are left out: those of identities have keys in them.
    if (debug.enabled) debug(`${method} ${path} at ${this.#config.host}, ${body.length} characters`);
    this.#connection().send(method, path, flat, body, (err, answer, answerBody) => {
      if (debug.enabled) debug(`${method} ${path}: ${err ?? answer.status}`);
      if (err) return done(hungUp(err));
      const response = new Response(answer.status, answer.headers, answerBody);
      if (answer.status >= 300) return done(refusal(response, answerBody));
      let result = '';
      try {
        result = parsed(response, answerBody);
      } catch (malformed) {
        return done(malformed);
      }
      return done(null, result, response);
    });
  }

  #connection() {
    const { host, x509 } = this.#config;
    return (this.#native ??= new (native().NativeRest)(
      host, connectionOptions({ ...this.#options, ...x509, agent: this.#options.http?.agent })));
  }

  #token() {
    const given = this.#config.sharedAccessSignature;
    if (typeof given === 'string') return given;
    const at = performance.now();
    if (at - this.#signed.at >= SIGN_EVERY_MS) this.#signed = { at, token: given.extend(anHourFromNow()) };
    return this.#signed.token;
  }

  async #bearer() {
    const known = this.#accessToken;
    if (!known || known.expiresOnTimestamp - Date.now() <= RENEW_BEFORE_MS) {
      this.#accessToken = await this.#config.tokenCredential.getToken(this.#config.tokenScope);
    }
    if (!this.#accessToken) throw new errors.UnauthorizedError('AccessToken creation failed');
    return `Bearer ${this.#accessToken.token}`;
  }
}

/** As Node calls it when a connection ends under a request. */
function hungUp(err) {
  if (err instanceof errors.NotConnectedError && err.delivery === 'Unknown') err.code ??= 'ECONNRESET';
  return err;
}

/** What is sent for `body`: a string as it is, everything else as JSON. */
function text(body) {
  const said = typeof body === 'string' ? body : JSON.stringify(body);
  if (said === undefined) throw new TypeError(`a ${typeof body} cannot be sent: it has no JSON`);
  return said;
}

function parsed(response, body) {
  const isJson = (response.headers['content-type'] ?? '').includes('application/json');
  return body && isJson ? JSON.parse(body) : '';
}

function unsayable(header) {
  const error = new TypeError(`Invalid character in header content ["${header}"]`);
  return Object.assign(error, { code: 'ERR_INVALID_CHAR' });
}

module.exports = { RestApiClient };
