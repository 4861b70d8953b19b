"""The words of common scales, of answers and of sizes, in several languages.

Whether a scale goes up or down is the same to an ordinal likelihood; that its steps are in a line
is not. Words that stand in one line in some scales and in another elsewhere are left out, and so
are letters and numerals alone, which name things as often as they grade them.
"""

from __future__ import annotations

Steps = tuple[tuple[str, ...], ...]


def _steps(line: str) -> Steps:
    return tuple(tuple(map(str.strip, step.split("|"))) for step in line.split(" < "))


SCALES: tuple[Steps, ...] = tuple(
    _steps(" ".join(paragraph.split()))
    for paragraph in """
very low|lowest|extremely low < low|lo < medium|med|mid|moderate|normal|average|middle
< high|hi < very high|urgent < highest|critical|extreme|extremely high|emergency

vl < l < m < h < vh

xxxs < xxs < xs < s < m < l < xl < xxl|2xl < xxxl|3xl < 4xl

tiny|very small|extra small|mini < small|little < medium|regular|normal|mid < large|big
< very large|extra large < huge|giant|enormous

none|absent|no|nil|not present|asymptomatic < minimal|trivial|negligible|very mild
< mild|minor|slight|insignificant < moderate|medium|significant < major|marked < severe|serious
< very severe|critical|extreme|life threatening < fatal|catastrophic|blocker|death

debug < info|information|notice < warning|warn < error < critical|fatal < emergency

not at all|none|nothing|not < a little|a little bit|slightly|a bit|little|minimally|hardly
< somewhat|some|moderately|to some extent < quite a bit|quite a lot|much|considerably|a lot|quite
< very much|a great deal|very|very much so|to a great extent < extremely|completely|totally

never|not at all|none of the time < almost never|hardly ever|very rarely|very seldom
< rarely|seldom|a little of the time|once in a while < occasionally|infrequently
< sometimes|some of the time < fairly often|regularly|about half the time|half of the time
< often|frequently|a good bit of the time < very often|very frequently
< usually|most of the time|mostly < almost always|nearly always < always|all of the time|constantly

not at all < several days < more than half the days < nearly every day|every day

never < monthly or less < 2-4 times a month|2 to 4 times a month < 2-3 times a week|2 to 3 times a
week < 4 or more times a week|4+ times a week

never|not at all < less than once a year < yearly|annually|once a year|every year
< a few times a year|less than monthly|less than once a month|several times a year < quarterly
< monthly|once a month|every month < a few times a month|several times a month
< weekly|once a week|every week < a few times a week|several times a week|more than once a week
< daily|every day|once a day|nearly daily|daily or almost daily
< several times a day|multiple times a day|more than once a day < hourly

very bad|terrible|awful|horrible|very poor|dreadful|unacceptable < bad|poor|unsatisfactory|weak
|inadequate|insufficient < fair|below average|needs improvement
< average|ok|okay|acceptable|satisfactory|adequate|sufficient|neutral|mediocre|so so
< good|above average < very good|great < excellent|outstanding|exceptional|superb|perfect

does not meet expectations|below expectations < meets expectations < exceeds expectations
< far exceeds expectations

none|no schooling|no formal education|preschool < primary|primary school|primary education
|elementary|elementary school < middle school|lower secondary|junior high school
< some high school|less than high school|some secondary|did not finish high school
< secondary|secondary school|secondary education|high school|high school graduate|hs grad
|high school diploma|upper secondary|high school or equivalent|ged
< some college|vocational|post secondary|vocational training
< associate|associates|associate's|associate degree|associate's degree|associates degree
< tertiary|bachelor|bachelors|bachelor's|bachelor degree|bachelor's degree|bachelors degree|college
|undergraduate|university|college graduate|college degree|higher|tertiary education
|higher education|university degree
< master|masters|master's|master degree|master's degree|masters degree|graduate|postgraduate
|graduate degree|graduate school|advanced degree
< doctorate|doctoral|phd|ph.d.|doctor|doctoral degree|doctorate degree

intern|trainee|apprentice < junior|entry level|entry < mid|mid level|intermediate|medior
< senior|senior level < lead|principal|staff|expert|manager < director < executive

freshman < sophomore < junior < senior

novice|beginner|basic|elementary < advanced beginner|pre intermediate
< intermediate|competent|medium < upper intermediate|proficient < advanced|fluent
< expert|master|native

bronze < silver < gold < platinum < diamond

no|not < partly|partially|partial|somewhat|in part < yes|fully|completely|full

underweight < normal|normal weight|healthy|healthy weight < overweight < obese|obesity
< morbidly obese|severely obese|extremely obese

decreased|decrease|down|falling|declining|fell < unchanged|stable|same|no change|steady|flat
|about the same|the same < increased|increase|up|rising|growing|rose

freezing < cold < cool < mild < warm < hot

infant|baby|newborn < toddler < child < teen|teenager|adolescent|youth < young adult
< adult < middle aged|middle age < senior|elderly|older adult|old

young < middle aged|middle age < old

first < second < third < fourth < fifth < sixth

1st < 2nd < 3rd < 4th < 5th < 6th

negative|neg|-|0 < trace|tr|± < +|1+ < ++|2+ < +++|3+ < ++++|4+

f < d- < d < d+ < c- < c < c+ < b- < b < b+ < a- < a < a+

d < c < cc < ccc- < ccc < ccc+ < b- < b < b+ < bb- < bb < bb+ < bbb- < bbb < bbb+ < a- < a < a+
< aa- < aa < aa+ < aaa

nie|niemals < fast nie|sehr selten < selten < gelegentlich < manchmal|ab und zu < oft|häufig
< sehr oft|sehr häufig|meistens|meist < fast immer < immer|ständig

gar nicht|überhaupt nicht|keine|kein|keiner < kaum|sehr wenig|ein wenig|wenig|etwas
< mittel|mäßig|mittelmäßig|teils < ziemlich|stark|viel|erheblich < sehr|sehr stark|sehr viel
|außerordentlich

leicht|mild|gering < mittel|mäßig|moderat|mittelschwer|mittelgradig < schwer|stark|hochgradig
< sehr schwer

ungenügend < mangelhaft < ausreichend < befriedigend < gut < sehr gut

kein abschluss|ohne abschluss < hauptschule|hauptschulabschluss
< realschule|realschulabschluss|mittlere reife < abitur|fachabitur|gymnasium < bachelor
< master|diplom < promotion

nein < teilweise|teils|zum teil < ja

täglich < mehrmals pro woche|mehrmals wöchentlich < wöchentlich|einmal pro woche
< mehrmals im monat < monatlich < jährlich < nie

jamais < presque jamais|très rarement < rarement < occasionnellement|de temps en temps
< parfois|quelquefois < régulièrement < souvent < très souvent|la plupart du temps
< presque toujours < toujours

aucun|aucune|absent|absente < minime|très léger|très légère < léger|légère < modéré|modérée|moyen
< sévère|grave|important|importante < très sévère|très grave

pas du tout < un peu|peu < moyennement|modérément|assez < beaucoup < énormément|tout à fait

non < partiellement|en partie < oui

nunca < casi nunca < rara vez|raramente|pocas veces < de vez en cuando|ocasionalmente
< a veces|algunas veces < a menudo|frecuentemente|con frecuencia|muchas veces
< casi siempre < siempre

ninguno|ninguna|nada < leve|ligero|ligera|poco < moderado|moderada|algo < grave|severo|severa|mucho
< muy grave

no < parcialmente|en parte < sí|si

mai < quasi mai < raramente < a volte|qualche volta|talvolta < spesso < quasi sempre < sempre

nessuno|nessuna|assente < lieve < moderato|moderata < grave|severo|severa

nunca < quase nunca < raramente < às vezes|as vezes < frequentemente|muitas vezes < quase sempre
< sempre

nenhum|nenhuma|ausente < leve|ligeiro < moderado|moderada < grave|severo

nooit < bijna nooit < zelden < soms|af en toe < regelmatig < vaak < bijna altijd|meestal < altijd

nigdy < prawie nigdy < rzadko < czasami|czasem < często < prawie zawsze < zawsze

aldrig|aldri < sällan|sjældent|sjelden < ibland|nogle gange|noen ganger|af og til|av og til
< ofta|ofte < alltid|altid

nikdy < zřídka|málokdy < někdy|občas < často < vždy

никогда < редко < иногда < часто < всегда
""".strip().split("\n\n")
)
"""Steps in their order, each in all of its wordings."""

NEUTRAL = frozenset(
    """neutral|neither|undecided|unsure|not sure|mixed|indifferent|medium|moderate|average|middle
    |mid|normal|so so|ok|okay|no opinion|no change|same|about the same|unchanged|neither nor|partly
    |both|neutre|moyen|moyenne|modéré|ni l'un ni l'autre|sans opinion|mittel|mittelmäßig|mäßig
    |durchschnittlich|teils teils|teils|weder noch|unentschieden|neutral eingestellt|medio|media
    |mediano|mediana|regular|neutro|neutrale|indiferente|indeciso|médio|média|gemiddeld|matig
    |neutraal|średni|średnie|średnia|medel|mellan|middels|střední|orta|средний|средняя|среднее|中
    |中等|普通""".replace("\n    ", "").split("|")
)
_OPPOSITES = """
disagree:agree dissatisfied|unsatisfied:satisfied unlikely|improbable:likely|probable
unimportant:important uncomfortable:comfortable unhappy|sad:happy worse:better bad|poor:good
negative:positive weak:strong low|small|little:high|large|big|great easy|simple:difficult|hard
cold:hot cool:warm slow:fast|quick short:long|tall light:heavy young:old thin:thick narrow:wide
dry:wet unsafe:safe unfavorable|unfavourable|opposed|oppose:favorable|favourable|favor
|favour|support soft:loud dark:bright shallow:deep near|close:far early:late inactive|passive:active
unfamiliar:familiar calm|relaxed:tense|anxious untrue|false:true
unzufrieden:zufrieden unwahrscheinlich:wahrscheinlich unwichtig:wichtig schlecht:gut
schlechter:besser niedrig|gering|tief:hoch schwach:stark klein:groß leicht|einfach:schwer|schwierig
langsam:schnell kurz:lang jung:alt kalt:heiß|warm dünn:dick unsicher:sicher
insatisfait|insatisfaite|mécontent|mécontente:satisfait|satisfaite|content|contente
peu=probable|improbable:probable mauvais|mauvaise:bon|bonne pire:meilleur faible|bas|basse:fort
|forte|élevé|élevée|haut|haute petit|petite:grand|grande lent|lente:rapide court|courte:long|longue
facile:difficile jeune:vieux froid|froide:chaud|chaude pas=d'accord|en=désaccord:d'accord
insatisfecho|insatisfecha:satisfecho|satisfecha malo|mala:bueno|buena bajo|baja:alto|alta
débil:fuerte pequeño|pequeña:grande improbable:probable lento|lenta:rápido|rápida corto|corta:largo
|larga en=desacuerdo:de=acuerdo fácil:difícil joven:viejo frío:caliente peor:mejor
insoddisfatto|insoddisfatta:soddisfatto|soddisfatta basso|bassa:alto|alta piccolo|piccola:grande
debole:forte cattivo|cattiva:buono|buona in=disaccordo:d'accordo lento:veloce breve:lungo
baixo|baixa:alto|alta pequeno|pequena:grande fraco|fraca:forte ruim|mau|má:bom|boa
insatisfeito|insatisfeita:satisfeito|satisfeita discordo:concordo
laag|lage:hoog|hoge oneens|mee=oneens:eens|mee=eens ontevreden:tevreden slecht:goed klein:groot
zwak:sterk kort:lang
niski|niska|niskie:wysoki|wysoka|wysokie słaby|słaba:silny|silna zły|zła:dobry|dobra mały|mała:duży
|duża niezadowolony|niezadowolona:zadowolony|zadowolona
låg|lågt:hög|högt liten:stor dålig|dåligt:bra svag:stark kort:lång missnöjd:nöjd
lav|lavt:høj|højt|høy|høyt lille:stor dårlig|dårligt:god|godt svag|svak:stærk|sterk
nízký|nízká:vysoký|vysoká malý|malá:velký|velká slabý:silný špatný|špatná:dobrý|dobrá
düşük:yüksek küçük:büyük kötü:iyi
низкий|низкая|низкое:высокий|высокая|высокое плохо:хорошо слабый:сильный маленький:большой
低:高 小:大 悪い:良い 弱:強 弱:强 差:好
stimme=nicht=zu:stimme=zu
"""
_DEGREES = {
    -5.0: "not at all|gar nicht|überhaupt nicht|pas du tout|helemaal niet|para nada|per niente",
    -3.0: "not|nicht|niet|pas|non|no|não|nie|inte|ikke",
    -1.0: "not very|hardly|barely|not so|not really|kaum|wenig|peu|poco|pouco|weinig|mało|lite",
    1.0: "slightly|a little|a bit|minimally|a little bit|marginally|mildly|etwas|ein wenig|un peu"
    "|ligeramente|leggermente|ligeiramente|enigszins|lichtelijk|något",
    2.0: "somewhat|rather|fairly|moderately|mostly|tend to|partly|partially|generally|reasonably"
    "|eher|ziemlich|mäßig|teilweise|weitgehend|größtenteils|überwiegend|plutôt|assez|modérément"
    "|algo|bastante|moderadamente|más bien|piuttosto|abbastanza|moderatamente|parcialmente"
    "|redelijk|tamelijk|raczej|ganska",
    4.0: "very|highly|strongly|much|quite|extra|really|greatly|sehr|stark|très|fortement|muy|molto"
    "|fortemente|muito|zeer|heel|bardzo|mycket|meget|velmi|çok|очень|很|非常",
    5.0: "extremely|completely|totally|fully|entirely|absolutely|exceptionally|incredibly|utterly"
    "|äußerst|extrem|völlig|voll|voll und ganz|vollkommen|vollständig|absolut|überhaupt|gar"
    "|tout à fait|extrêmement|totalement|complètement|totalmente|completamente"
    "|extremadamente|estremamente|del tutto|extremamente|helemaal|volledig|zdecydowanie"
    "|całkowicie|helt|極めて|极",
}


def _poles() -> dict[str, int]:
    found = {}
    for pair in " ".join(_OPPOSITES.split()).replace(" |", "|").split(" "):
        for sign, words in zip((-1, 1), pair.split(":"), strict=True):
            found.update({word.replace("=", " "): sign for word in words.split("|")})
    return found


POLES = _poles()
"""On which side a word stands of the middle of its scale: -1 or 1."""
DEGREES = {word: degree for degree, words in _DEGREES.items() for word in words.split("|")}
"""How far a word puts another from the middle, which it turns where it is below 0; without one it
is `PLAINLY`."""
PLAINLY = 3.0
