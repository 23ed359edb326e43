// Says whether its thread has a cache of compiled code.

const { getCompileCacheDir } = require('node:module');

module.exports = () => getCompileCacheDir?.() !== undefined;
