// Tables as plain text and as Markdown, from one model: { title, head: [text], rows: [[text]] }.
// The first column is flush left, the others flush right, unless `left` names further ones.

/**
 * Three significant digits or so: 1,234 · 123 · 12.3 · 1.23; whole numbers as they are; Infinity is
 * "never".
 */
export function formatNumber(value) {
  if (value === Infinity) return 'never';
  const digits = value >= 99.95 || Number.isInteger(value) ? 0 : value >= 9.995 ? 1 : 2;
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}

/** The number and its unit, "never" without one. */
export const withUnit = (value, unit) =>
  value === Infinity ? formatNumber(value) : `${formatNumber(value)} ${unit}`;

const isLeft = (table, column) => column === 0 || Boolean(table.left?.includes(column));

/** Lines of aligned plain text, the title first. */
export function renderText(table) {
  const widths = table.head.map((_, column) =>
    Math.max(...[table.head, ...table.rows].map((row) => row[column].length)),
  );
  const line = (row) =>
    row
      .map((text, column) =>
        isLeft(table, column) ? text.padEnd(widths[column]) : text.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [table.title, '', line(table.head), rule, ...table.rows.map(line)].join('\n');
}

/** A Markdown table, without the title. */
export function renderMarkdown(table) {
  const line = (row) => `| ${row.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = table.head.map((_, column) => (isLeft(table, column) ? '---' : '---:'));
  return [line(table.head), `|${rule.join('|')}|`, ...table.rows.map(line)].join('\n');
}
