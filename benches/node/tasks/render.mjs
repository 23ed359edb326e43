// Renders a page with so many rows: some µs of string work, as a route of a web framework does.

export const inlineSafe = true;

const escape = (text) => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

export function render(count) {
  let rows = '';
  for (let n = 0; n < count; n++) rows += `<tr><td>${n}</td><td>${escape(`row <${n}>`)}</td></tr>`;
  return `<!doctype html><title>${escape('A page')}</title><table>${rows}</table>`;
}
