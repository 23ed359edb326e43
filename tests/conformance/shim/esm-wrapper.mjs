// What `import 'piscina'` gets: all that `cenote/piscina` exports to an ES module.
export * from 'cenote/piscina';
export { default } from 'cenote/piscina';
