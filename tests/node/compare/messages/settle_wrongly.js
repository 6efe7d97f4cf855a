// Settling nothing.
'use strict';
const { hub, outcome, thrown, messenger } = require('../support');

(async () => {
  const client = await messenger(hub.device());
  for (const how of ['complete', 'reject', 'abandon']) {
    for (const nothing of [undefined, null, '', 0]) {
      await outcome(`${how} ${nothing}`, client[how](nothing));
      thrown(`${how} ${nothing} with callback`, () => client[how](nothing, () => {}));
    }
  }
  await outcome('close', client.close());
})();
