// What `require('piscina')` gets: the class that `cenote/piscina` exports.
'use strict';

module.exports = require('cenote/piscina');
