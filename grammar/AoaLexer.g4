// The spelling of tokens. What a word means depends on where it stands, and so do the line ends that count: that is decided
// by compiler/parse/lexer.cpp, which calls this lexer with the right mode and then gives words their types (`tokens` below).
//
// Input is bytes, not code points, so that positions are byte offsets. The four control codes \u0001 to \u0004 stand for
// characters whose meaning needs unbounded look-ahead; compiler/parse/marked_text.h puts them there:
//
//   \u0001 \u0002 \u0003    `{`, `,` and `}` of a brace group in a name, as in x.{q,k}.w
//   \u0004                  the `-` of an arrow `->` or `<->`
lexer grammar AoaLexer;

tokens {
  END,                                                          // the end of a line that ends an item
  FAMILY, IMPORT, DIMS, SIDE, MAP, DEFAULT,                     // first words of a line
  FORMAT, LIKE, MESH, OVERLAY, PLACE, STATE, SCALAR, ZERO, CONFIG, REMOVE,
  FOR, IF, ELSE, ELSE_IF,
  AXIS, VALUE,
  FROM, TO,                                                     // words inside a line of a side or a `default` block
  OPTIONAL, TIED, BLOCKS, OF, ON, REPLICAS, GROUP, STORED,
  INTERLEAVE, BY, SURPLUS, NUMBERED,
  KEY, FLAG,                                                    // words of attributes
  IN, AND, OR, NOT, TRUE, FALSE, OTHERWISE, FUNCTION, PAD       // words of expressions; OTHERWISE is `a else b`
}

// ---------------------------------------------------------------- names: the default mode

NAME : (NAME_CHARACTER | VARIABLE | GROUP_MARK)+ ;
BOTH : '<' ARROW_MINUS '>' ;
RIGHT : ARROW_MINUS '>' ;
LEFT : '<-' ;
COMMA : ',' ;
COLON : ':' ;
EQUAL : '=' ;
LBRACE : '{' ;
RBRACE : '}' ;
LBRACKET : '[' ;
RBRACKET : ']' ;
LPAREN : '(' ;
RPAREN : ')' ;
TRANSPOSE : '^T' ;
STRING : '"' STRING_BODY '"' ;
QUOTED_VALUE : '\'' ~['\r\n]* '\'' ;       // Paddle's attribute values; no escapes
OPEN_STRING : '"' STRING_BODY ;
OPEN_QUOTED_VALUE : '\'' ~['\r\n]* ;
NEWLINE : LINE_END ;
BLANK : [ \t]+ -> skip ;
COMMENT : '#' ~[\r\n]* -> skip ;
STRAY : . ;

// ---------------------------------------------------------------- one value after the `=` of an attribute

mode ATTRIBUTE_VALUE;

NUMBER : '-'? DIGITS ('.' DIGITS)? EXPONENT? ;
VALUE_NAME : (NAME_CHARACTER | VARIABLE | GROUP_MARK)+ -> type(NAME) ;
VALUE_COMMA : ',' -> type(COMMA) ;
VALUE_EQUAL : '=' -> type(EQUAL) ;
VALUE_LBRACE : '{' -> type(LBRACE) ;
VALUE_RBRACE : '}' -> type(RBRACE) ;
VALUE_LBRACKET : '[' -> type(LBRACKET) ;
VALUE_RBRACKET : ']' -> type(RBRACKET) ;
VALUE_BOTH : '<' ARROW_MINUS '>' -> type(BOTH) ;
VALUE_RIGHT : ARROW_MINUS '>' -> type(RIGHT) ;
VALUE_LEFT : '<-' -> type(LEFT) ;
VALUE_STRING : '"' STRING_BODY '"' -> type(STRING) ;
VALUE_QUOTED : '\'' ~['\r\n]* '\'' -> type(QUOTED_VALUE) ;
VALUE_OPEN_STRING : '"' STRING_BODY -> type(OPEN_STRING) ;
VALUE_OPEN_QUOTED : '\'' ~['\r\n]* -> type(OPEN_QUOTED_VALUE) ;
VALUE_NEWLINE : LINE_END -> type(NEWLINE) ;
VALUE_BLANK : [ \t]+ -> skip ;
VALUE_COMMENT : '#' ~[\r\n]* -> skip ;
VALUE_STRAY : . -> type(STRAY) ;

// ---------------------------------------------------------------- inside [ ], in `dims`, conditions, ranges and scalars

mode EXPRESSION;

CONFIG_KEY : 'config' ('.' [A-Za-z0-9_]+)+ ;
UNKNOWN : '_' ;
NUMBER_OF : '$' [A-Za-z_] [A-Za-z0-9_]* ;
IDENT : [A-Za-z_] [A-Za-z0-9_]* ;
EXPRESSION_NUMBER : DIGITS ('.' DIGITS)? EXPONENT? -> type(NUMBER) ;
RANGE : '..' ;
DOT : '.' ;
AT : '@' ;
TILDE : '~' ;
PLUS : '+' ;
MINUS : '-' ;
STAR : '*' ;
SLASH : '/' ;
PERCENT : '%' ;
IS_EQUAL : '==' ;
NOT_EQUAL : '!=' ;
LESS : '<' ;
LESS_EQUAL : '<=' ;
GREATER : '>' ;
GREATER_EQUAL : '>=' ;
DEFAULT_EQUAL : '?=' ;
EXPRESSION_EQUAL : '=' -> type(EQUAL) ;
EXPRESSION_COMMA : ',' -> type(COMMA) ;
EXPRESSION_COLON : ':' -> type(COLON) ;
EXPRESSION_LBRACE : '{' -> type(LBRACE) ;
EXPRESSION_RBRACE : '}' -> type(RBRACE) ;
EXPRESSION_LBRACKET : '[' -> type(LBRACKET) ;
EXPRESSION_RBRACKET : ']' -> type(RBRACKET) ;
EXPRESSION_LPAREN : '(' -> type(LPAREN) ;
EXPRESSION_RPAREN : ')' -> type(RPAREN) ;
EXPRESSION_BOTH : '<' ARROW_MINUS '>' -> type(BOTH) ;
EXPRESSION_RIGHT : ARROW_MINUS '>' -> type(RIGHT) ;
EXPRESSION_STRING : '"' STRING_BODY '"' -> type(STRING) ;
EXPRESSION_OPEN_STRING : '"' STRING_BODY -> type(OPEN_STRING) ;
EXPRESSION_NEWLINE : LINE_END -> type(NEWLINE) ;
EXPRESSION_BLANK : [ \t]+ -> skip ;
EXPRESSION_COMMENT : '#' ~[\r\n]* -> skip ;
EXPRESSION_STRAY : . -> type(STRAY) ;

// ---------------------------------------------------------------- parts

fragment NAME_CHARACTER : [A-Za-z0-9_./*\-] ;
fragment VARIABLE : '$' [A-Za-z_] [A-Za-z0-9_]* | '${' ~[}\r\n]* '}' ;
fragment GROUP_MARK : [\u0001-\u0003] ;
fragment ARROW_MINUS : '\u0004' ;
fragment STRING_BODY : (~["\\\r\n] | '\\' ~[\r\n])* ;
fragment DIGITS : [0-9]+ ;
fragment EXPONENT : [eE] [+\-]? DIGITS ;
fragment LINE_END : '\r'? '\n' | '\r' ;
