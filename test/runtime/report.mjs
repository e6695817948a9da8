// What a test run prints: a line per suite, the table of runtimes and devices, failures in full, the closing line.

const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);

export function suiteLine(runtime, device, suite, { passed, failed, skips, notes, seconds }) {
  const counts = `${passed} passed${failed ? `, ${failed} FAILED` : ''}${skips.length ? `, ${skips.length} skipped` : ''}`;
  const mark = failed ? 'FAIL' : 'ok  ';
  const head = `${mark} ${runtime.padEnd(8)} ${device.padEnd(6)} ${suite.padEnd(28)} ${counts}, ${seconds.toFixed(1)} s`;
  return [head, ...skips.map((s) => `       SKIP ${s}`), ...notes.map((n) => `       ${n}`)].join('\n');
}

export function printTable(rows) {
  const head = ['runtime', 'device', 'passed', 'failed', 'skipped', 'seconds', ''];
  const lines = rows.map((r) => [
    r.runtime,
    r.device,
    r.passed,
    r.failed,
    r.skipped,
    r.seconds.toFixed(1),
    r.reason ?? '',
  ]);
  const cells = [head, ...lines].map((line) => line.map(String));
  const widths = head.map((_, i) => (i < 6 ? Math.max(...cells.map((line) => line[i].length)) : 0));
  console.log();
  for (const line of cells) {
    console.log(
      line
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join('  ')
        .trimEnd(),
    );
  }
}

export function printFailures(rows) {
  for (const { runtime, device, failures } of rows) {
    for (const { suite, messages } of failures) {
      console.log(`\nFAIL ${runtime} ${device} ${suite}\n${messages.join('\n\n').replace(/^/gm, '  ')}`);
    }
  }
  console.log();
}

/** `N passed, N failed`, and `, N skipped` if any were: always the last line. */
export function closingLine(rows, otherFailures) {
  const [passed, skipped] = [sum(rows, 'passed'), sum(rows, 'skipped')];
  const failed = sum(rows, 'failed') + otherFailures;
  const text = `${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`;
  return { text, ok: failed === 0 && passed > 0 };
}
