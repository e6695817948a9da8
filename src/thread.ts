// A worker: makes its own instance of the kernels over the shared memory, then takes part in every program.
import { joinCrew, type Setup } from './backend/wasm/crew-member.js';
import { onHostMessage } from './platform.js';

onHostMessage((message, post) => void joinCrew(message as Setup, post));
