"""Text that the tiny tokenizers are made from."""

from __future__ import annotations

SOURCE_TEXT = """\
The river runs past the old house and the children play beside the water every morning.
In the morning the market opens, and people bring bread, fruit, wool and maize to sell.
She said that the teacher would come to the school with three new books for the children.
The mountain is high, the road is long, and the house of my father stands near the river.
We have seen the light of the sun and the light of the moon over the mountain.
He went to the market to buy bread; he came back with a book and a small lamp.
A computer, a radio and a telephone stand on the table in the school of the town.
Who will read the letter? The teacher will read it, and then the children will write an answer.
On 12 March 2021 there were 345 people in the town, 67 of them children under 10 years.
The price rose by 8% (from 100 to 108), as the newspaper "El Sol" had said.
My mother cooks potatoes, my brother carries water, and my sister sings songs in the evening.
It is not known when the bridge was built, but the people say that it is very old.
When the rain comes the fields are green, and when the wind comes the leaves fall.
They were working in the field, singing and talking, and the work was finished early.
Peru, Bolivia and Ecuador have many languages; Lima, Cusco and Quito are large cities.
The word for water, the word for fire and the word for earth are short words.
Information about the election was published on the internet by the ministry of education.
Do not forget the name of the town, the number of the house, and the hour of the train!
The doctor of the hospital works day and night, and nobody knows how she does it.
Our language lives when we speak it, when we write it, and when we sing it.
"""

TARGET_TEXT = """\
Mayu wasikunap ladunta purin, wawakuna sapa tutamanta yakupa patanpi pukllanku.
Tutamanta qhatu kichakun, runakuna t'antata, ruruta, millwata, sarata rantichinku.
Yachachiq yachay wasiman kinsa musuq librokunata wawakunapaq apamunqa, nispa nirqan.
Urqu hatunmi, ñan sunim, taytaypa wasinqa mayup patanpim kachkan.
Intip k'anchayninta killap k'anchayninta urqukunap hawanpi rikurqanchik.
Qhatuman t'antata rantiq rirqan; libroyuqmi, uchuy lamparayuqmi kutimurqan.
Computer, radio, telefono ima yachay wasip hatun mesanpi kachkanku.
Pitaq qillqata ñawinchanqa? Yachachiqmi ñawinchanqa, chaymantataq wawakuna kutichinqaku.
12 marzo 2021 watapi llaqtapi 345 runakuna karqan, 67 wawakuna 10 watayuqmanta pisi.
Chaninqa 8% wichasqa (100manta 108kama), "El Sol" periódico nisqanman hina.
Mamay papata yanun, turiy yakuta apan, ñañay ch'isi pachapi takikunata takin.
Manam yachakunchu haykaq chaka ruwasqa kasqanta, runakunaqa ancha ñawpam ninku.
Para hamuptin chakrakuna q'umirmi, wayra hamuptintaq raphikuna urmamun.
Chakrapi llamk'achkarqanku, takistin rimastin, llamk'ayqa utqaylla tukukurqan.
Peru, Bolivia, Ecuador suyukunapi achka simikuna kan; Lima, Cusco, Quito hatun llaqtakuna.
Yakupaq simi, ninapaq simi, allpapaq simi uchuy simikunam kanku.
Akllaymanta willakuykuna internet nisqapi yachay kamayuqkunap lluqsichisqan.
Ama qunqaychu llaqtap sutinta, wasip yupayninta, trenpa horanta!
Hampiq wasipi hampiqqa tutan p'unchaw llamk'an, manam pipas yachanchu imayna ruwasqanta.
Siminchikqa kawsanmi rimaptinchik, qillqaptinchik, takiptinchik.
Ñuqanchikpa rimayninchikkunata wawanchikkunaman yachachichkanchikpunim, mana qunqanapaq.
Река бежит мимо старого дома, и дети играют у воды каждое утро. Вода, огонь, земля.
नदी पुराने घर के पास बहती है और बच्चे पानी के किनारे खेलते हैं।
河水流过老房子,孩子们每天早上在水边玩。学校在山上。
Ẽ, ỹ, g̃uarani: ñe'ẽ, kuñataĩ, mitã'i ha yvytu; café, naïve, Zürich, São Paulo 🙂 🌽
The word radio, the book, the school: 100, 2021, Lima!
"""

SAMPLE: dict[str, str] = {"source": SOURCE_TEXT, "target": TARGET_TEXT}
