// A reporter for `node --test`: one line of JSON for each test that ended, suites left out, as Node
// counts them.
//
// `name` is the path of names from the outermost test. `status` is pass, fail or skip. A test that
// failed for no other reason than one inside it has `inner: true`.

export default async function* lines(events) {
  const path = [];
  for await (const { type, data } of events) {
    if (type === 'test:start') path[data.nesting] = data.name;
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    const skipped =
      (data.skip !== undefined && data.skip !== false) ||
      (data.todo !== undefined && data.todo !== false);
    const failed = type === 'test:fail';
    const inner = failed && data.details?.error?.failureType === 'subtestsFailed';
    const name = [...path.slice(0, data.nesting), data.name];
    yield `${JSON.stringify({ name, status: skipped ? 'skip' : failed ? 'fail' : 'pass', inner })}\n`;
  }
}
