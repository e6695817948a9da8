// Another page, from which the journey goes back.
setTimeout(() => location.replace('./index.html?journey=1'), 200);
