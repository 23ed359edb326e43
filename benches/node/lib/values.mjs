// The kinds of value that c64-values.mjs echoes. `load(inFlight)` gives { make, verify } for a
// closed loop: every value carries its task's number, where it is large at both ends.

import { checkSame } from './check.mjs';
import { stampedBytes } from './stamped-bytes.mjs';

const kItems = 48;

/** The same for every slot: what is sent is built anew for each task. */
const built = (make, verify) => () => ({ make: (_slot, id) => make(id), verify });

const flat = (id) => ({
  id,
  name: 'Ada Lovelace',
  email: 'ada@example.org',
  active: true,
  score: id + 0.25,
  city: 'London',
  visits: 12,
  lastSeen: 1_767_225_600_000,
  parent: null,
  note: '',
});

const item = (index) => ({
  sku: `sku-${1000 + index}`,
  title: `A thing with a name, number ${index}`,
  price: index + 0.99,
  tags: ['new', 'blue', `shelf ${index}`],
  size: { width: 10 + index, height: 20, depth: 30 },
  stock: [
    { place: 'north', count: index },
    { place: 'south', count: 3 },
  ],
});

function nested(inFlight) {
  const slots = Array.from({ length: inFlight }, () => ({
    id: 0,
    customer: { name: 'Ada Lovelace', address: { city: 'London', street: '12 St James Square' } },
    items: Array.from({ length: kItems }, (_, index) => item(index)),
  }));
  return {
    make(slot, id) {
      slots[slot].id = id;
      slots[slot].items[kItems - 1].stock[1].count = id;
      return slots[slot];
    },
    verify(result, _slot, id) {
      checkSame(result.id, id, 'id');
      checkSame(result.items.length, kItems, 'items');
      checkSame(result.items[1].tags[2], 'shelf 1', 'a tag');
      checkSame(result.items[kItems - 1].stock[1].count, id, 'number at the end');
    },
  };
}

export const kinds = [
  {
    name: 'number',
    load: built(
      (id) => id,
      (result, _slot, id) => checkSame(result, id, 'echoed number'),
    ),
  },
  {
    name: 'string',
    load: built(
      (id) => `task ${id}`,
      (result, _slot, id) => checkSame(result, `task ${id}`, 'echoed string'),
    ),
  },
  {
    name: 'flat',
    load: built(flat, (result, _slot, id) => {
      checkSame(result.id, id, 'id');
      checkSame(result.score, id + 0.25, 'score');
      checkSame(result.name, 'Ada Lovelace', 'name');
      checkSame(result.parent, null, 'parent');
      checkSame(result.note, '', 'last property');
    }),
  },
  { name: '1k', load: (inFlight) => stampedBytes(1024, inFlight) },
  { name: '10k', load: nested },
];
