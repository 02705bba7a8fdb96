"""Names in many scripts. Given and family names are drawn separately, so no real person is meant."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class NameStock:
    weight: int
    women: tuple[str, ...]
    men: tuple[str, ...]
    families: tuple[str, ...]


def _name_stock(weight: int, women: str, men: str, families: str) -> NameStock:
    """Split names at spaces; an underscore is a space inside a name."""
    lists = (tuple(name.replace("_", " ") for name in text.split()) for text in (women, men, families))
    return NameStock(weight, *lists)


ENGLISH = _name_stock(
    34,
    "Olivia Charlotte Amelia Isla Mia Grace Ruby Matilda Evie Harriet Phoebe Rosemary Beverley Joan Mary-Anne Zoe "
    "Anna-Lise",
    "Jack Noah William Leo Hudson Thomas Lachlan Angus Harvey Desmond Kevin Barry Neville Ross Jean-Luc Archie Wilf",
    "Smith Jones Walker Nguyen-Smith Fairweather O'Brien Whitlock Hollis Marsh Penhaligon Ashcombe Thorne Quigley "
    "Featherstone-Haugh D'Arcy Loxley Merriweather Tindall Woods",
)
STOCKS = (
    ENGLISH,
    _name_stock(
        6,
        "Aoife Niamh Siobhán Caoimhe Gráinne Róisín Sadhbh",
        "Oisín Pádraig Seán Cillian Tadhg Fionn",
        "Ní_Bhraonáin O'Súilleabháin Mac_Giolla Ó_Dálaigh O'Connell",
    ),
    _name_stock(
        6,
        "Zoë Chloé Renée Agnès Françoise Élodie",
        "François Jérôme Noël René Loïc Benoît",
        "Lefèvre Gauthier Crépin Béranger Dupré-Vallon",
    ),
    _name_stock(
        6,
        "Søs Åse Birgül Łucja Žofie Ágnes Małgorzata Þórunn İpek",
        "Jürgen Søren Łukasz Jiří Zoltán Öğün Mikołaj",
        "Müller-Groß Sørby Wójcik Dvořáček Kőszegi Çağlar Sigurðsdóttir Żeleński",
    ),
    _name_stock(
        5,
        "Inês Guadalupe María_José Núria Begoña",
        "João Íñigo Joaquín Tomé Andrés",
        "Conceição Peñaranda Muñoz_de_la_Vega Ibáñez Quintão",
    ),
    _name_stock(
        5,
        "Ελένη Αικατερίνη Σοφία Δέσποινα",
        "Γιώργος Νικόλαος Στέφανος Μιχάλης",
        "Παπαδάκης Βασιλείου Καραγιάννη Οικονόμου",
    ),
    _name_stock(4, "Ольга Ксения Людмила Алёна", "Дмитрий Сергей Юрий Фёдор", "Соловьёва Щербак Журавлёв Кузьменко"),
    _name_stock(4, "فاطمة ليلى نور زينب", "أحمد يوسف عمر خالد", "الحداد المنصوري بن_سالم القاسم"),
    _name_stock(3, "תמר רבקה נועה", "אבנר יהונתן גדעון", "ברק לביא שלו-כהן"),
    _name_stock(6, "美玲 秀英 雅婷 欣怡", "志强 建国 伟 家豪", "王 欧阳 陈 林 司马"),
    _name_stock(4, "さくら 陽菜 美咲 由紀子", "大翔 健太 蓮 誠", "佐々木 髙橋 山﨑 小鳥遊"),
    _name_stock(4, "서연 지우 은혜", "민준 도윤 성호", "김 박 남궁 황보"),
    _name_stock(3, "กมลชนก สุภาพร ศิริรัตน์", "ธนากร วีระพงษ์ ณัฐวุฒิ", "วงศ์สุวรรณ ศรีประเสริฐ จันทร์เพ็ญ"),
    _name_stock(4, "अनन्या प्रिया लक्ष्मी", "अर्जुन रोहित विवेक", "शर्मा चतुर्वेदी कुलकर्णी"),
    _name_stock(
        4, "Āniwa Hinewai Mārama Ngāio", "Tāwhiri Rāwiri Hōne Wiremu", "Te_Whāiti Pōtae Ngāwhika Whakatāne-Rewi Tūhoro"
    ),
    _name_stock(5, "Thảo Ngọc_Ánh Phương_Linh", "Quốc_Bảo Đức Minh_Hiếu", "Nguyễn Trần_Lê Đặng Võ Huỳnh"),
    _name_stock(
        3, "Ngozi Adaeze Thandiwe Nkechi", "Chukwuemeka Sipho Kwabena Olúwaṣeun", "Nwachukwu-Eze Dlamini Ọláwálé Mensah"
    ),
)
ONE_WORD = ("Suharto-Wati", "Prabowati", "Kadek", "Wiraatmaja", "Nanjappa", "Björkdís")
LONG = (
    ("Bartholomea Maximiliana Theodora", "Longbottomley-Featherstonewood-Underhillingham-Ashcombe"),
    ("Kalanimahinaokealaula", "Kapu'ahi-Nāmakamāluhia-Kealohaonālani-Makanikeoe"),
    ("Venkatanarasimharajuvaripeta Srinivasa", "Ramachandran Subramaniam Krishnamoorthy"),
)
PREFERRED = ("Bill", "Kit", "Mimi", "Sunny", "Teddy", "Nan", "Bubba", "Jo", "Ziggy", "Beau")


def draw_name(random: Random, *, woman: bool) -> tuple[str, str]:
    """Return a given and a family name of one origin; occasionally a single word or a very long name."""
    roll = random.random()
    if roll < 0.012:
        return random.choice(ONE_WORD), ""
    if roll < 0.020:
        return random.choice(LONG)
    origin = random.choices(STOCKS, weights=[stock.weight for stock in STOCKS])[0]
    return random.choice(origin.women if woman else origin.men), random.choice(origin.families)
