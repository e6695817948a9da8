// Hears what the frame tells, which may store nothing.
addEventListener('message', ({ data }) => {
  window.told = data;
});
document.documentElement.dataset.ready = 'true';
