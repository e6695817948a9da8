// Before the first paint, so that a chosen theme does not flash.
try {
  const theme = localStorage.getItem('everygrad.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; then the system's theme holds.
}
// WebKit without a locale says that its language is "C", at which Intl throws, and with it the charts.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
