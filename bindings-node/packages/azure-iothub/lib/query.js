// The pages of a query.
'use strict';

const { tripleValueCallbackToPromise } = require('azure-iot-common');
const { Twin } = require('./twin');

/** The header that names the next page, in answers. */
const CONTINUATION = 'x-ms-continuation';

const pack = (result, message) => ({ result, message });

/** `(token, done)`, `(done)`, `(token)` or nothing: the token, if one was given, and the callback. */
const given = (first, second) => (typeof first === 'function' && !second ? [undefined, first] : [first, second]);

class Query {
  /** `executeQueryFn(continuationToken, done)` asks for one page; `registry` goes into the twins of `nextAsTwin`. */
  constructor(executeQueryFn, registry) {
    if (!executeQueryFn) throw new ReferenceError(`executeQueryFn cannot be '${executeQueryFn}'`);
    if (typeof executeQueryFn !== 'function') {
      throw new TypeError(`executeQueryFn cannot be '${typeof executeQueryFn}'`);
    }
    // The function holds the registry, and both only help to ask: nothing to print.
    Object.defineProperty(this, '_executeQueryFn', { value: executeQueryFn, writable: true });
    Object.defineProperty(this, '_registry', { value: registry, writable: true });
    this.hasMoreResults = true;
    this.continuationToken = null;
  }

  /** The next page's rows: after `continuationToken` if one is given, else after the page before. */
  next(continuationToken, done) {
    const [token, callback] = given(continuationToken, done);
    return tripleValueCallbackToPromise((reply) => this._page(token, reply), pack, callback);
  }

  /** The next page's rows as twins, which must have a `deviceId`: `SELECT *`. */
  nextAsTwin(continuationToken, done) {
    const [token, callback] = given(continuationToken, done);
    return tripleValueCallbackToPromise((reply) => {
      this._page(token, (err, rows, response) => {
        if (err) return reply(err);
        let twins = null;
        try {
          if (rows) twins = rows.map((row) => Twin._adopt(row, this._registry));
        } catch (unlikeTwin) {
          return reply(unlikeTwin);
        }
        return reply(null, twins, response);
      });
    }, pack, callback);
  }

  _page(token, reply) {
    this._executeQueryFn(token || this.continuationToken, (err, rows, response) => {
      if (err) return reply(err);
      this.continuationToken = response.headers[CONTINUATION];
      this.hasMoreResults = this.continuationToken !== undefined;
      return reply(null, rows, response);
    });
  }
}

module.exports = { Query };
