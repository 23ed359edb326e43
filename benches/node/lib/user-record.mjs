// A small record, as rows of a query are.

export const record = (id) => ({
  id,
  name: `user ${id}`,
  email: `user${id}@example.org`,
  active: id % 2 === 0,
});
