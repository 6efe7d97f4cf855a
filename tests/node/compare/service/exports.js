// What the packages give.
'use strict';
const iothub = require('azure-iothub');
const common = require('azure-iot-common');
const { say } = require('../support');

const kinds = (object) => Object.keys(object).sort().map((name) => `${name}: ${typeof object[name]}`);
say('azure-iothub', kinds(iothub));
say('azure-iot-common', kinds(common));
say('errors', kinds(common.errors));
say('results', kinds(common.results));
say('endpoint', kinds(common.endpoint));
