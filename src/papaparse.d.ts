// The part of papaparse that reads CSV here: its parser, which takes text piece by piece.
declare module 'papaparse' {
  interface Step {
    /** One record. */
    data: string[][];
    errors: { code: string; index?: number }[];
    /** Where the next record begins. */
    meta: { cursor: number };
  }
  const Papa: {
    Parser: new (options: {
      delimiter: string;
      newline: string;
      fastMode?: boolean;
      step: (result: Step) => void;
    }) => {
      /** `partial` leaves the last record for the next call, since it may go on there. */
      parse(text: string, baseIndex: number, partial: boolean): unknown;
    };
  };
  export default Papa;
}
