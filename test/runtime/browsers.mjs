export class Chromium {}
export class Firefox {}
export class WebKit {}
