'use strict';
exports.errors = require('./lib/errors.js');
