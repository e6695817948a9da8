// What a product reads at a time, LANES elements: as it is stored, floats or where HALF packed halves, and as numbers.
//#if LANES>1
//#if HALF
alias Word = vec2u;
//#else
alias Word = vec4u;
//#end
alias Value = vec4f;
//#else
alias Word = u32;
alias Value = f32;
//#end
