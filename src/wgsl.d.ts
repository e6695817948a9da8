// Shaders are imported as text; the bundler's loader puts them in.
declare module '*.wgsl' {
  const text: string;
  export default text;
}
