// Before the app: waits until the service worker sees what the page asks for.
await navigator.serviceWorker.register('./service-worker.js');
await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller)
  await new Promise((claimed) => navigator.serviceWorker.addEventListener('controllerchange', claimed));
await import('./app.js');
