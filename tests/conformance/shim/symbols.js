// The public symbols, under the names that they have inside Piscina.
'use strict';

const { queueOptionsSymbol, transferableSymbol, valueSymbol } = require('cenote/piscina');

exports.kQueueOptions = queueOptionsSymbol;
exports.kTransferable = transferableSymbol;
exports.kValue = valueSymbol;
