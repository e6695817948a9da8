// A worker: makes its own instance of the kernels over the shared memory, then takes part in every program.
import { CrewMember, type Extension, type Setup } from './backend/wasm/crew-member.js';
import { onHostMessage } from './platform.js';

let member: CrewMember | null = null;

onHostMessage((message, post) => {
  member ??= new CrewMember(post);
  member.receive(message as Setup | Extension);
});
