// Runs before a page's own scripts: notes what goes wrong, and the page's workers, so that a test can end one.
(() => {
  const complaints = [];
  const workers = [];
  Object.assign(window, {
    complaints,
    /** Ends the workers whose address contains this, and tells the page, as a browser does that runs out of memory. */
    killWorkers(part) {
      const found = workers.filter(({ address }) => address.includes(part));
      for (const { worker } of found) {
        // In this order: WebKit delivers nothing to one that has been terminated.
        worker.dispatchEvent(new ErrorEvent('error', { message: 'out of memory' }));
        worker.terminate();
      }
      return found.length;
    },
  });
  addEventListener('error', ({ message }) => complaints.push(`error: ${message}`));
  addEventListener('unhandledrejection', ({ reason }) => complaints.push(`unhandled: ${reason}`));
  addEventListener('securitypolicyviolation', (e) =>
    complaints.push(`${e.violatedDirective}: ${e.blockedURI}`),
  );
  for (const level of ['error', 'warn']) {
    const own = console[level];
    console[level] = (...what) => {
      complaints.push(`${level}: ${what.join(' ')}`);
      own.apply(console, what);
    };
  }
  const Own = window.Worker;
  window.Worker = class extends Own {
    constructor(address, options) {
      super(address, options);
      workers.push({ address: String(address), worker: this });
    }
  };
})();
