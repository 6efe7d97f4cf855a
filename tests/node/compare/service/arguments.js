// Arguments that cannot be, of every method: thrown where there is a callback, rejected where there is none.
'use strict';
const { Registry } = require('azure-iothub');
const { outcome, thrown, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);
const done = () => {};

const CASES = [
  ['create', [undefined]], ['create', [null]], ['create', [{}]], ['create', ['']],
  ['update', [undefined]], ['update', [{}]],
  ['get', [undefined]], ['get', [null]], ['get', ['']],
  ['delete', [undefined]], ['delete', ['']],
  ['getTwin', [undefined]], ['getTwin', [null]], ['getTwin', ['']],
  ['updateTwin', [undefined, {}, '*']], ['updateTwin', [null, {}, '*']], ['updateTwin', ['', {}, '*']],
  ['updateTwin', ['d', undefined, '*']], ['updateTwin', ['d', null, '*']],
  ['updateTwin', ['d', {}, undefined]], ['updateTwin', ['d', {}, '']],
  ['getModuleTwin', [undefined, 'm']], ['getModuleTwin', ['d', undefined]],
  ['updateModuleTwin', [undefined, 'm', {}, '*']], ['updateModuleTwin', ['d', '', {}, '*']],
  ['updateModuleTwin', ['d', 'm', null, '*']], ['updateModuleTwin', ['d', 'm', {}, null]],
  ['addModule', [undefined]], ['addModule', [{}]], ['addModule', [{ deviceId: 'd' }]],
  ['getModule', [undefined, 'm']], ['getModule', ['d', undefined]],
  ['getModulesOnDevice', [undefined]],
  ['updateModule', [undefined, true]], ['updateModule', [{}, true]], ['updateModule', [{ moduleId: 'm' }, true]],
  ['removeModule', [undefined, 'm']], ['removeModule', ['d', undefined]], ['removeModule', [5, 'm']], ['removeModule', ['d', 5]],
];

(async () => {
  for (const [method, args] of CASES) {
    const call = `${method}(${args.map((arg) => JSON.stringify(arg)).join(', ')})`;
    thrown(`${call} with callback`, () => registry[method](...args, done));
    await outcome(call, registry[method](...args));
  }
  thrown('a callback that is none', () => registry.getTwin('d', 'callback'));
  thrown('an object as callback', () => registry.create({ deviceId: 'd' }, {}));
})();
