/** Set by the bundler: the ops' cases for the tests are not part of what is shipped. */
declare const WITH_SAMPLES: boolean;
