// Prints a test that cannot run here, so that nothing is left out in silence.

/** One line: `SKIP name: reason`. */
export function skip(name: string, reason: string): void {
  console.log(`SKIP ${name}: ${reason}`);
}
