import type { Counted } from './counted.js';

/**
 * The words of the explanations and the tour. They are apart from the page's other words (src/words/words.ts) because few people
 * open them in a session, so they load late. They are translated in the same way; no key is in both tables.
 */
export const lessonWords = {
  // How a number is explained
  formula: 'Formula',
  range: 'Range',
  byChance: 'By chance',
  source: 'Source',
  chanceNone: 'There is no value to compare with.',
  glossary: 'All terms: the glossary',
  letterE: 'E: how many experts there are.',
  letterK: 'k: how many of them are chosen.',
  letterS: 'S: the chosen experts.',
  letterT: 'T: how many tokens.',
  letterV: 'V: how many tokens the vocabulary has.',

  // Numbers of one choice
  whatAffinity:
    'How well the token’s activation u fits an expert’s gate v at one module. The experts with the largest affinities are chosen; the bars include the logit bias of a what-if.',
  whatRouterLogit:
    'The raw output of the layer’s router W for an expert, from the token’s activation u. The experts with the largest router logits are chosen; the bars include what the model or a what-if adds before that. Where the model makes selection scores of them, with a correction bias or a limit to groups, the bars are those.',
  rangeAffinity: 'Any number. Larger: a better fit. Only differences between experts decide.',
  whatWeight: 'What a chosen expert’s output is multiplied by before it is added to the module’s own.',
  rangeWeight:
    'From 0, not chosen, to 1, alone. Some models scale their weights, which then add up to more or less than 1.',
  chanceWeight: '1 / k for each of k chosen experts.',
  whatContribution:
    'The size of what a chosen expert adds, relative to the size of the module’s own output. A large weight can contribute little.',
  rangeContribution: '0 % or more.',
  whatMargin:
    'How far the lowest chosen affinity (in a mixture of experts: router logit, or selection score) is above the highest one not chosen. The smaller it is, the less it would have taken to choose another expert.',
  rangeMargin: '0, a tie, or more.',
  whatEntropy:
    'The entropy of the router distribution p over all experts. It tells how decided the router was, not whether it was right. Where the weights are fixed or an expert is forced, p is what a router would give: it did not decide.',
  rangeEntropy: 'From 0, one expert has all, to 1, all have the same.',
  chanceEntropy: '1',
  whatTopKProbability: 'The part of the router distribution p that the chosen experts have.',
  rangeTopKProbability: 'From k / E to 100 %.',
  chanceTopKProbability: 'k / E, if all E experts had the same probability.',

  // Shares
  whatShareOfWeight:
    'An expert’s part of the weights that were applied to the token over all these modules. Where the source gives no weights, its part of the choices.',
  rangeShare: 'From 0 % to 100 %. The experts’ shares add up to 100 %.',
  chanceShare: '1 / E: the line on the bar.',
  whatLeader:
    'The expert with the largest share of the weights in a cell: the stronger the colour, the larger that share. In a map of lines, the expert that leads at most of a line’s tokens: the stronger, the more of them; a line of white space alone is drawn as pale as can be. After a what-if, a corner marks a cell with a changed choice, and one without is faded. Where no weights are given, the expert that is named first.',
  rangeLeader: 'Its share: from 1 / E to 100 %.',
  chanceLeader: '1 / E',
  whatUsage:
    'Of all choices that the text’s tokens made at all these modules, the share that went to an expert. The whisker is a 95% interval from resampling whole tokens, because the choices of one token depend on each other. There is none where an expert is asked for or forced, which leaves nothing to chance, nor with Retrieval: the whole text makes one choice, a sample of one.',
  whatCorpusRatio:
    'An expert’s share of this text’s choices, and of the choices over the atlas’s corpus. The text’s interval says what its tokens leave open; tokens of one text are alike, so it is the least to expect. The corpus’s interval says how surely its mean is known, not how much single documents differ: a text like many of the corpus may have an arrow, too.',
  rangeCorpusRatio: 'From 0×; 1× is as often as over the corpus.',
  chanceCorpusRatio:
    '1×, give or take the intervals. Where these overlap, or with fewer than 30 tokens, nothing is said. Of many experts, a few get an arrow by chance.',
  whatUsageByLayer: 'The share of one layer’s choices that went to an expert.',
  chanceUsage: '1 / E',

  // How evenly
  whatEffective: 'How many experts are really used: so many with equal loads would have the same entropy.',
  rangeEffective: 'From 1 to E.',
  chanceByCount: 'Also a little uneven if there are few tokens: the value is shown with the figure.',
  whatCv:
    'The standard deviation of the experts’ loads, divided by their mean. Its square is a loss in training (Shazeer et al.).',
  rangeCv: 'From 0, all loads are equal, to √(E − 1), one expert has all.',
  whatMaxVio: 'How far the largest load is above the mean load, divided by the mean load.',
  rangeMaxVio: 'From 0, all loads are equal, to E − 1, one expert has all.',
  whatEvenness: 'The entropy of the experts’ loads, divided by the largest that it could be.',
  rangeEvenness: 'From 0, one expert has all, to 1, all loads are equal.',
  whatDead: 'The experts that no token chose.',
  rangeDead: 'From 0 to E − k of them.',
  chanceDead: 'E (1 − k / E)ⁿ, if k were chosen n times.',

  // Together and attracted
  whatTogether:
    'Of the places where the row’s expert was chosen, the share where the column’s was, too. All pairs of a chosen set count.',
  rangeTogether: 'From 0 % to 100 %. It is not the same both ways: a rare expert may always come with a frequent one.',
  chanceTogether: '(k − 1) / (E − 1)',
  whatAttracted: 'Of the times that this token occurs, counted over all modules, the share that chose the expert.',
  rangeAttracted: 'From 0 % to 100 %. Tokens at or below chance and rare tokens are left out.',
  chanceAttracted: 'k / E',

  // Predictions
  whatProbability: 'How likely the model found the token, from the tokens before it alone.',
  rangeProbability: 'From 0 to 1.',
  chanceProbability: '1 / V',
  whatSurprise: 'The negative log-probability of the token: the less likely it was to the model, the larger.',
  rangeSurprise: '0 nats, certain, or more.',
  chanceSurprise: 'ln V nats',
  whatAlternatives: 'The tokens that the model found likeliest here, each with its probability.',

  whatLens:
    'What the model would predict after the token if it ended with this layer. What the layer passes on, a vector h (the residual stream), is turned into predictions as that of the last layer is: scaled, and multiplied by a matrix W (final norm and head). Layers before the last were never trained to be read so.',

  // Two runs
  whatTopKOverlap:
    'Of the k experts chosen at a routed module, the share that both runs chose. The mean over aligned tokens.',
  rangeTopKOverlap: 'From 0 %, all experts differ, to 100 %, all are the same.',
  chanceTopKOverlap: 'k / E',
  whatFlipped:
    'The share of places, one per token and routed module, where the other run chose another set of experts.',
  rangeFlipped: 'From 0 % to 100 %.',
  whatDivergence: 'How far the router distributions p and q of the two runs are apart, whichever experts were chosen.',
  rangeDivergence: 'From 0 bits, the same, to 1 bit, nothing in common.',
  whatLogProb:
    'The mean log-probability of a token in one run and in the other, over the aligned tokens alone. Nearer to 0 is better.',
  rangeLogProb: '0 nats or less.',
  chanceLogProb: '−ln V nats',
  whatLogProbChange:
    'The token’s log-probability in the other run minus that in this one. Above 0: the other run finds it likelier.',
  rangeChange: 'Any number of nats. 0: no change.',
  whatUsageChange:
    'An expert’s load in the other run minus that in this one, in percentage points: each over all its text tokens, or in a part of the text over those that both have.',
  whatScopeChange:
    'An expert’s load in this part of the text minus that in the rest, in percentage points. The whisker is a 95% interval from drawing whole tokens of both again and again.',
  rangeUsageChange: 'From −100 to 100.',
  whatChange:
    'The share of the chosen experts that the other run did not choose, which is 1 − top-k overlap. Underlined in the editor: the thicker, the more.',
  chanceChange:
    '1 − k / E, if the other run chose at random. The Compare tab has the overlap that chance gives for this text.',

  // What-ifs
  whatKl:
    'How far the predictions q moved away from p, those without the what-if. Only the likeliest tokens are listed, so the true value is at least this.',
  rangeKl: '0 nats, no change, or more.',
  whatDirect:
    'The share of a layer’s places whose choice the what-if itself changed: an expert that it names came or went.',
  whatDownstream: 'The share of a layer’s places whose choice changed only because earlier ones did.',
  whatAttribution:
    'The change of the token’s log-probability when the expert i is knocked out everywhere: ln p₋ᵢ instead of ln p. Below 0: the expert makes the token likelier. The effects of several experts do not add up.',

  // An atlas
  whatCorpusLoad:
    'Of all choices that the corpus’s tokens made in the layer, the share that went to the expert. The interval has the documents as its sample: tokens of one document are alike.',
  whatLift:
    'How much more often documents of a label c choose the expert e than all documents do. +1 is twice as often, −1 half as often. The interval has the documents as its sample.',
  rangeLift: 'Any number; “never” if no token of the label chose it.',
  chanceLift: '0. By chance it strays from that, which q takes into account.',
  whatSpecialised:
    'Specialised in a label: a lift of at least 1 in size, q of at most 0.05 over all experts and labels, and the same sign in both halves of the corpus. That no label passes is an answer, too.',
  rangeSpecialised: 'Yes or no.',
  chanceSpecialised: 'Of all that is called specialised, at most 5 % by chance.',
  whatQ:
    'The largest share of false discoveries, if everything with this q or a smaller one is taken as found. From shuffling the labels among documents, over all experts and labels.',
  rangeQ: 'From 0 to 1.',
  whatCorpusSpecialisation:
    'How far the expert is from being chosen equally often by all C labels: H is the entropy of its shares over them, each label with the same weight.',
  rangeCorpusSpecialisation: 'From 0, all labels choose it equally often, to 1, only one does.',
  chanceCorpusSpecialisation: 'The mean over shuffled labels, in brackets. The map’s colours begin there.',
  whatInformation:
    'How much knowing the label, the token, its class or its position tells about which expert is chosen: the mutual information of the two.',
  rangeInformation: '0 nats, nothing, or more.',
  chanceInformation: 'Above 0, because samples are finite: in brackets.',
  whatTokenLift:
    'How often the expert was chosen where the token was read, came next or was predicted, beside what its load alone would give.',
  rangeTokenLift: 'Any number. +1: twice as often.',
  chanceTokenLift: '0: the count that is expected.',
  whatContexts:
    'Where the expert was chosen: at its largest weights, at most two in a document, and at random places, each as likely as any other. What is true of the one only is not what the expert does.',
  rangeContexts: 'Up to eight of each.',
  whatPairLift:
    'How often two experts were chosen at one token, or one after the other in neighbouring layers, beside what would be if they were chosen independently.',
  chancePairLift: '0: the count if the two were independent.',
  whatSimilar:
    'How alike two experts of a pool are: the mean over the modules of the cosine of their gates, centred as PHATGOOSE does, and of their adapters’ changes of the weights.',
  rangeSimilar: 'From −1 to 1; 1: the same direction.',
  chanceSimilar: 'About 0, for two vectors that have nothing to do with each other.',
  whatAblated:
    'The expert is knocked out at the one token where it was chosen, and the change of the log-probability of the next or of all later tokens is taken. Minus the same for another expert at a random token of the document.',
  rangeAblated: 'Any number of nats. Below 0: the text becomes less likely without the expert than without another.',
  chanceAblated: '0: it matters as much as any other expert.',
  whatSearch:
    'The experts that are specialised in the label, or at whose tokens it is read, comes next or is predicted at least twice as often as expected, or that take at least twice the share of the text that they take of the corpus.',
  rangeSearch: 'From none to all.',
  chanceSearch: 'A short text alone reaches twice the share for some experts: it has few tokens.',

  // The tour
  tour: 'Tour of the panel',
  tourAt: '{0} of {1}',
  tourBack: 'Back',
  tourNext: 'Next',
  tourSkip: 'Skip the tour',
  tourDone: 'Done',
  tourKeys: 'Arrow keys go on and back, Escape ends the tour.',
  tourRun: 'What was routed',
  tourRunText: 'The text, its number of tokens, and the model that read it.',
  tourRunPool:
    'The model reads a text as tokens, words or parts of words: here {0}, such as “{1}”. At each of {2} places inside it, its modules, a router sends each token to {3} of {4} experts. An expert is a small addition to the model that somebody trained on texts of one kind. Its name says what it was trained on, not what it does.',
  tourRunFixed:
    'The model reads a text as tokens, words or parts of words: here {0}, such as “{1}”. At each of {2} places inside it, its modules, a router could choose among {4} experts; this strategy gives every token the same instead. An expert is a small addition to the model that somebody trained on texts of one kind. Its name says what it was trained on, not what it does.',
  tourRunMixture:
    'The model reads a text as tokens, words or parts of words: here {0}, such as “{1}”. In each of {2} layers, its modules, a router sends each token to {3} of {4} experts. An expert is a part of its layer. They were all trained together, and nobody decided what each is for: that is why they have numbers.',
  tourStrategy: 'How experts are chosen',
  tourStrategyText:
    'The strategy decides which experts each token goes to, and how many. Choose another, and the text is routed again.',
  tourStrategyNative: 'The model’s router chooses (native router): there is no other strategy.',
  tourStrategyFixed: 'A saved run keeps its strategy, because there is no model behind it to route with another.',
  tourLegend: 'Who is who',
  tourLegendText:
    'Each expert has a colour and a short label. Choose some to see their choices alone. “Colour by” shows a number in place of the experts.',
  tourLegendLayer:
    'Each layer has experts of its own, so the legend names those of one layer. “Colour by” chooses the layer, or a number in place of the experts.',
  tourMap: 'The map',
  tourMapGrid:
    'Tokens across, layers down. A cell has the colour of the expert that leads there: the stronger, the larger its weight. Arrow keys go from cell to cell, Enter opens a layer.',
  tourMapLines:
    'The lines of the text down, layers across. A cell has the colour of the expert that leads most tokens of the line. Arrow keys go from cell to cell.',
  tourMapMeasure:
    'Here a number colours each cell: {0}, of a token or as the mean of a line. The legend says which is pale and which strong. “Colour by” goes back to the experts.',
  tourMapChange:
    'Here the map shows what changes between two runs: the stronger a cell, the more. “Colour by” goes back to the experts.',
  tourCell: 'One choice, in words',
  tourCellText:
    'A cell is selected: one token at one routed module. Here it says who was chosen there, and how close it was.',
  tourExperts: 'Every expert, compared',
  tourAffinity:
    'Each expert has a gate, a pattern that tokens are compared with: how well this token fits it is the expert’s affinity. The best have a tick and their weight. “?” beside any heading says what its numbers are.',
  tourAffinityScaled:
    'A classifier (X-LoRA) gave each expert a score for this token, its affinity; all weights are made of these. “?” beside any heading says what its numbers are.',
  tourAffinityFixed:
    'How well this token fits each expert is the expert’s affinity. It decides nothing here: the strategy fixes the weights. “?” beside any heading says what its numbers are.',
  tourAffinityNone:
    'Here would stand each expert’s affinity, how well the token fits it, but there are none. “?” beside any heading says what its numbers are.',
  tourRouterLogit:
    'The router gave each expert a score for this token, its router logit. The best have a tick and their weight. “?” beside any heading says what its numbers are.',
  tourRouterLogitNone:
    'Here would stand each expert’s router logit, its score for the token, but there are none. “?” beside any heading says what its numbers are.',
  tourUsage: 'The whole text, beside chance',
  tourUsageText:
    'How often each expert was chosen. The line on each bar is what chance would give. The whiskers show how certain the share is: if they cross the line, chance alone could explain it.',
  tourPredictions: 'What the model expected',
  tourPredictionsText: 'How likely the model found each token. Where it drops, the text surprised the model.',
  tourPredictionsNone: 'How likely the model found each token would be shown here, but this run does not say.',
  tourWhatIf: 'Ask what if',
  tourWhatIfText:
    'Knock an expert out, force one, or favour it by an amount that is added to its scores (logit bias). The text is routed again, and what changed is told here. The header undoes it. A text can do without most experts: the button tries one after the other, and keeps the knock-out that costs this text most, which may still be little.',
  tourWhatIfMixture:
    'Knock an expert out, force one, or favour it by an amount that is added to its scores (logit bias). The text is routed again, and what changed is told here. The header undoes it. A text can do without most experts: the button tries the {0} that are chosen most often, and keeps the knock-out that costs this text most, which may still be little.',
  tourWhatIfTold:
    'What changed is told here, and the header undoes it. Even a knock-out may cost little: less than 1 % per token is hardly noticed, because the next best expert takes over.',
  tourWhatIfFind: 'Find the Costliest Knock-Out',
  tourWhatIfFindMost: 'Find the Costliest of {0} Knock-Outs',
  tourWhatIfNone: 'Knock an expert out and see what follows: that takes a model that can run here, and there is none.',
  tourCompare: 'Compare two runs',
  tourCompareText:
    'Compare this run with another: another strategy, another text. That is the last stop. The tour is in the ⋯ menu whenever you want it again.',
  tourComparingPredictions:
    'Two runs, side by side: how likely each finds the text, because their choices cannot be compared. That is the last stop. The tour is in the ⋯ menu whenever you want it again.',
  tourComparing:
    'Two runs, side by side: the top-k overlap of their choices, beside what chance would give. That is the last stop. The tour is in the ⋯ menu whenever you want it again.',
} as const satisfies Record<string, string | Counted>;

export type LessonWord = keyof typeof lessonWords;
