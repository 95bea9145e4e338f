# Fails if a decision of the generated parser FILE needs more than one token of look-ahead: ANTLR then predicts by simulating
# the grammar, which costs time when cold, can be exponential, and notices mistakes late.
file(STRINGS ${FILE} predictions REGEX "adaptivePredict")
if(predictions)
  file(REMOVE ${FILE})
  message(FATAL_ERROR "the grammar has decisions that need more than one token:\n${predictions}")
endif()
