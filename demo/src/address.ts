// What is chosen on a page, as text behind the # of its address.

export type Allowed<C> = { readonly [K in keyof C]: readonly C[K][] };

/** The choice that an address makes; what cannot be understood is left out, and listed. */
export function parseChoice<C extends object>(
  hash: string,
  defaults: C,
  allowed: Allowed<C>,
): { choice: C; ignored: string[] } {
  const choice: C = { ...defaults };
  const ignored: string[] = [];
  for (const [key, text] of new URLSearchParams(hash.replace(/^#/, ''))) {
    const value = Object.hasOwn(allowed, key)
      ? allowed[key as keyof C].find((v) => String(v) === text)
      : undefined;
    if (value === undefined) ignored.push(`${key}=${text.slice(0, 40)}`);
    else Object.assign(choice, { [key]: value });
  }
  return { choice, ignored };
}

/** The same as text; what is as at first is left out. */
export const formatChoice = <C extends object>(choice: C, defaults: C): string =>
  (Object.keys(defaults) as (keyof C & string)[])
    .filter((key) => choice[key] !== defaults[key])
    .map((key) => `${key}=${choice[key]}`)
    .join('&');

/** Writes it into the address, without an entry in the history. */
export const writeAddress = (text: string): void =>
  history.replaceState(null, '', text ? `#${text}` : location.pathname + location.search);
