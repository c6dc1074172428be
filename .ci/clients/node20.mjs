// The conformance suite imports fs.globSync, which Node 20 lacks and checking a
// server does not call. Loaded with --import.
import fs from 'node:fs';
import { register } from 'node:module';

if (!fs.globSync) {
  register('data:text/javascript,' + encodeURIComponent(`
    export async function resolve(name, context, next) {
      return name === 'fs' ? { url: 'node20:fs', shortCircuit: true } : next(name, context);
    }
    export async function load(url, context, next) {
      if (url !== 'node20:fs') return next(url, context);
      const source = "export * from 'node:fs'; export { default } from 'node:fs'; export const globSync = undefined;";
      return { format: 'module', source, shortCircuit: true };
    }`));
}
